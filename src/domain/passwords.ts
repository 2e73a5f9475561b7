// Which passwords are too weak: short, or among those that are tried first (NIST SP 800-63B, 5.1.1.2).

export const password_length_min = 12;
export const password_length_max = 200;

// What leaked lists are full of, beyond the shapes below; compared without case and without what surrounds it.
const common = [
  "password",
  "passw0rd",
  "qwertyuiop",
  "qwerty",
  "iloveyou",
  "letmein",
  "welcome",
  "administrator",
  "admin",
  "abcdefghijkl",
  "abc123",
  "1q2w3e4r5t6y",
  "1qaz2wsx3edc",
  "zaq12wsx",
  "asdfghjkl",
  "zxcvbnm",
  "monkey",
  "dragon",
  "sunshine",
  "princess",
  "football",
  "baseball",
  "superman",
  "trustno1",
  "changeme",
  "secret",
  "master",
  "hello",
  "coolpay",
  "quickpay",
];

const rows = [
  "01234567890123456789",
  "98765432109876543210",
  "abcdefghijklmnopqrstuvwxyz",
  "qwertyuiopasdfghjklzxcvbnm",
];

/** What is wrong with it, or null. `about` is what the person is known by: name and e-mail. */
export function weakness(password: string, about: readonly string[]): string | null {
  if (password.length < password_length_min || password.length > password_length_max) {
    return `must have length between ${password_length_min} and ${password_length_max}`;
  }
  const bare = password.toLowerCase();
  const core = bare.replace(/[^a-z]/g, "");
  if (new Set(bare).size < 5) return "is too simple";
  if (rows.some((row) => row.includes(bare) || [...row].reverse().join("").includes(bare))) return "is too simple";
  // A common word that only digits, signs or itself surround.
  if (
    common.some(
      (word) => core === word || core === word + word || (core.replaceAll(word, "").length < 3 && core.includes(word)),
    )
  ) {
    return "is among the most used passwords";
  }
  if (common.some((word) => bare.replaceAll(word, "").length < 4)) return "is among the most used passwords";
  const own = about.flatMap((text) => [text, text.split("@")[0] ?? ""]).map((text) => text.toLowerCase());
  if (own.some((text) => text.length >= 4 && bare.replaceAll(text, "").length < 4))
    return "must not be your name or e-mail";
  return null;
}
