// `coolpay user create`: the first user of an installation where nobody may sign up by himself.

import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { startAlone } from "./cluster.ts";
import type { Config } from "./config.ts";
import { jsonLog } from "./log.ts";

type Place = { readonly own: Config; readonly database_url: string };
type NewUser = { readonly email: string; readonly name: string; readonly password: string };

/** Signs up through the API like any other, in this process alone: nobody else is let in. Answers the exit status. */
export async function createUser({ own, database_url }: Place, wanted: NewUser): Promise<number> {
  const config: Config = {
    ...own,
    // A key is made where the database is ours; another one has its key already, or gets it from its operator.
    mode: own.database_url === null ? "start" : "serve",
    host: "127.0.0.1",
    ports: { api: 0, window: 0, manager: 0, metrics: 0 },
    tls: null,
    processes: 1,
    signup: "open",
  };
  const app = await startAlone({ config, database_url, log: jsonLog({ write: () => {} }) });
  try {
    const answer = await app.api.inject({ method: "POST", url: "/users", payload: wanted });
    const { id, message, errors } = answer.json<{ id: number; message: string; errors: object | null }>();
    if (answer.statusCode === 201) console.log(`Created user ${id}.`);
    else console.error(`No user was created: ${[message, ...Object.entries(errors ?? {}).map(inWords)].join("; ")}.`);
    return answer.statusCode === 201 ? 0 : 1;
  } finally {
    await app.stop();
  }
}

const inWords = ([field, wrong]: [string, unknown]): string => `${field} ${String(wrong)}`;

/** The first line of standard input. At a terminal it is asked for, and not shown. */
export async function readPassword(): Promise<string> {
  const { stdin, stderr } = process;
  const nowhere = new Writable({ write: (_text, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: nowhere, terminal: stdin.isTTY });
  if (stdin.isTTY) stderr.write("Password: ");
  try {
    for await (const line of lines) return line;
    return "";
  } finally {
    lines.close();
    if (stdin.isTTY) stderr.write("\n");
  }
}
