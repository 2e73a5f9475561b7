// A mail server that speaks SMTP (RFC 5321) on loopback, independent of our code: what it took can be read, and it refuses or
// hangs up where it is told to.

import { createServer, type Server, type Socket } from "node:net";

export type Mail = {
  readonly from: string;
  readonly to: readonly string[];
  readonly headers: ReadonlyMap<string, string>;
  /** As sent. */
  readonly raw: string;
  /** Decoded. */
  readonly text: string;
};

/** What comes after a command, instead of what usually does; null: the connection ends without a word. */
type Says = (command: string) => string | null | undefined;

export class MailServer {
  readonly received: Mail[] = [];
  /** Every command, also of mails that were not taken. */
  readonly commands: string[] = [];
  says: Says = () => undefined;
  port = 0;
  server: Server | undefined;

  async start(): Promise<this> {
    this.server = createServer((socket) => this.talk(socket));
    await new Promise<void>((done) => this.server?.listen(0, "127.0.0.1", done));
    this.port = (this.server.address() as { port: number }).port;
    return this;
  }

  stop(): void {
    this.server?.close();
  }

  private talk(socket: Socket): void {
    let pending = "";
    let in_data = false;
    let from = "";
    let to: string[] = [];
    const say = (command: string, usual: string): boolean => {
      const answer = this.says(command);
      if (answer === null) socket.destroy();
      else socket.write(`${answer ?? usual}\r\n`);
      return answer === undefined;
    };
    const hear = (line: string): void => {
      this.commands.push(line);
      const verb = line.slice(0, 4).toUpperCase();
      const address = /<(.*)>/.exec(line)?.[1] ?? "";
      if (verb === "MAIL") from = address;
      if (verb === "RCPT") to = [...to, address];
      const usual = { EHLO: "250 mail.example", DATA: "354 go on", QUIT: "221 bye" }[verb] ?? "250 ok";
      const went_on = say(line, usual);
      if (verb === "DATA" && went_on) in_data = true;
    };
    const take = (raw: string): void => {
      // RFC 5321, section 4.5.2.
      const plain = raw.replace(/^\.\./gm, ".");
      if (say("the end of the mail", "250 taken")) this.received.push({ from, to, ...parsed(plain) });
      [from, to] = ["", []];
    };
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      pending += bytes.toString("latin1");
      for (;;) {
        const end = pending.indexOf(in_data ? "\r\n.\r\n" : "\r\n");
        if (end < 0) return;
        const text = pending.slice(0, end);
        pending = pending.slice(end + (in_data ? 5 : 2));
        if (in_data) {
          in_data = false;
          take(text);
        } else hear(text);
      }
    });
    socket.write("220 mail.example\r\n");
  }
}

function parsed(raw: string): Omit<Mail, "from" | "to"> {
  const [head = "", ...rest] = raw.split("\r\n\r\n");
  const unfolded = head.replace(/\r\n[ \t]+/g, " ").split("\r\n");
  const headers = new Map(
    unfolded.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.replace(/^[^:]*: */, "")] as const),
  );
  const body = rest.join("\r\n\r\n");
  const encoding = headers.get("content-transfer-encoding");
  const bytes =
    encoding === "base64"
      ? Buffer.from(body, "base64")
      : Buffer.from(encoding === "quoted-printable" ? unquoted(body) : body, "latin1");
  return { headers, raw, text: bytes.toString("utf8").replaceAll("\r\n", "\n") };
}

/** RFC 2045, section 6.7. */
const unquoted = (text: string): string =>
  text.replace(/=\r\n/g, "").replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
