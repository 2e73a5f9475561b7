// Which passwords are too weak: short, or among those that are tried first (NIST SP 800-63B, 5.1.1.2).

export const password_length_min = 12;
export const password_length_max = 200;

// What the lists of leaked passwords are full of: these words, repeated, joined, or with digits and signs around them.
const words = [
  "password",
  "passwort",
  "passw0rd",
  "qwertyuiop",
  "qwerty",
  "asdfghjkl",
  "zxcvbnm",
  "1q2w3e4r5t6y",
  "q1w2e3r4t5y6",
  "1qaz2wsx3edc",
  "zaq12wsx",
  "zaq1xsw2",
  "qweasdzxc",
  "abc123",
  "iloveyou",
  "letmein",
  "please",
  "welcome",
  "administrator",
  "admin",
  "login",
  "monkey",
  "dragon",
  "sunshine",
  "princess",
  "football",
  "baseball",
  "basketball",
  "liverpool",
  "manchester",
  "united",
  "superman",
  "batman",
  "starwars",
  "whatever",
  "trustno1",
  "changeme",
  "secret",
  "master",
  "hello",
  "chocolate",
  "jesus",
  "correcthorsebatterystaple",
  "coolpay",
  "quickpay",
];

const rows = ["0123456789", "9876543210", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm"];
const row_part_min = 4;

// So much must be left when everything that others try first is taken away.
const own_characters_min = 4;
const different_min = 5;

const look_alikes: Readonly<Record<string, string>> = {
  "@": "a",
  "4": "a",
  "3": "e",
  "1": "i",
  "0": "o",
  $: "s",
  "5": "s",
};

/** What is wrong with it, or null. `about` is what the person is known by: name and e-mail. */
export function weakness(password: string, about: readonly string[]): string | null {
  if (password.length < password_length_min || password.length > password_length_max) {
    return `must have length between ${password_length_min} and ${password_length_max}`;
  }
  const bare = password.toLowerCase().replace(/\s/g, "");
  if (new Set(bare).size < different_min || /^\d+$/.test(bare)) return "is too simple";
  const known = about.flatMap((text) => [text, ...text.split(/[\s@.]+/), text.replace(/\s+/g, "")]);
  const own = known.map((text) => text.toLowerCase()).filter((text) => text.length >= own_characters_min);
  if (leftOf(bare, own) < own_characters_min) return "must not be your name or e-mail";
  const plain = bare.replace(/./g, (sign) => look_alikes[sign] ?? sign);
  const tried = [...own, ...words];
  if (leftOf(bare, tried) < own_characters_min || leftOf(plain, tried) < own_characters_min) {
    return "is among the most used passwords";
  }
  return null;
}

// People put years and dates around a word: so many digits count as one character of one's own.
const digits_per_character = 3;

/** What remains without these words and runs along a keyboard row; all of it where there are none. */
function leftOf(text: string, without: readonly string[]): number {
  let left = text;
  // Longer ones first: `qwerty` would leave half of `qwertyuiop`.
  for (const word of [...without].sort((a, b) => b.length - a.length)) left = left.replaceAll(word, " ");
  left = withoutRuns(left);
  if (left === text) return text.length;
  const letters = left.replace(/[^\p{L}]/gu, "").length;
  return letters + Math.floor(left.replace(/\D/g, "").length / digits_per_character);
}

function withoutRuns(text: string): string {
  let left = text;
  for (const row of rows) {
    for (let length = row.length; length >= row_part_min; length--) {
      for (let at = 0; at + length <= row.length; at++) left = left.replaceAll(row.slice(at, at + length), " ");
    }
  }
  return left;
}
