// What is mailed, in plain text. Names come from people: they are brought onto one line, so that they can say nothing of
// their own beside what we say, neither in a header nor in the text.

export type MailText = { readonly subject: string; readonly text: string };

type Link = { readonly link: string; readonly token: string };
type Shop = { readonly shop: string; readonly link: string };
type Person = { readonly name: string; readonly email: string };

const name_length_max = 100;

/** Without line breaks and other control characters, and not too long for a subject. */
export const oneLine = (text: string): string =>
  Array.from(text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ").trim())
    .slice(0, name_length_max)
    .join("");

const mail = (subject: string, ...paragraphs: string[]): MailText => ({
  subject,
  text: `${paragraphs.join("\n\n")}\n`,
});

export const mail_texts = {
  verification: ({ link, token }: Link) =>
    mail(
      "Confirm your e-mail address",
      "Please confirm that this e-mail address is yours:",
      link,
      `Or send this token to PATCH /user/verification: ${token}`,
      "It works once, for a day. If you have not asked for it, do nothing.",
    ),
  password_reset: ({ link, token }: Link) =>
    mail(
      "Choose a new password",
      "Somebody, hopefully you, wants to choose a new password for your CoolPay user:",
      link,
      `Or send this token to PATCH /password-resets: ${token}`,
      "It works once, for an hour. If you have not asked for it, do nothing: your password stays as it is.",
    ),
  invitation: ({ shop, link, token }: Shop & Link) =>
    mail(
      `You are invited to ${oneLine(shop)}`,
      `You are invited to work on the merchant account of ${oneLine(shop)}:`,
      link,
      `Or send this token with accepted=true, or when you sign up: ${token}`,
      "It works once. If you do not know the shop, do nothing.",
    ),
  access_request: ({ shop, name, email, link }: Shop & Person) =>
    mail(
      `${oneLine(name)} asks for access to ${oneLine(shop)}`,
      `${oneLine(name)} (${oneLine(email)}) asks to be connected to the merchant account of ${oneLine(shop)}.`,
      `Grant or refuse it here: ${link}`,
      "As long as you do nothing, nothing changes.",
    ),
  access_granted: ({ shop, link }: Shop) =>
    mail(
      `You have access to ${oneLine(shop)}`,
      `You are connected to the merchant account of ${oneLine(shop)} now:`,
      link,
    ),
  card_testing: ({ shop, attempts, declined, link }: Shop & { attempts: number; declined: number }) =>
    mail(
      `Many cards are declined at ${oneLine(shop)}`,
      `Within ten minutes ${declined} of ${attempts} payments with a card were declined at ${oneLine(shop)}. Mostly that is somebody who tries stolen card numbers.`,
      "The payment window slows such attempts down by itself: until most cards are approved again each shopper's browser has to compute for a moment before a card is tried, which she hardly notices.",
      `What you can do: look at the payments of the last minutes and cancel or refund those that you do not know. ${link}`,
      "If your shop makes payment links for anybody, ask for a basket or a login first.",
    ),
} as const;

export type MailKind = keyof typeof mail_texts;
