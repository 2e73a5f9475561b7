// A fresh database for a test, on the server that the test runner started.

import { randomBytes } from "node:crypto";
import pg from "pg";

export async function testDatabase(): Promise<{ url: string; drop: () => Promise<void> }> {
  const server = process.env.TEST_DATABASE_URL;
  if (server === undefined) throw new Error("TEST_DATABASE_URL is not set: run the tests with npm test");
  const name = `test_${randomBytes(6).toString("hex")}`;
  const run = async (sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString: server });
    await client.connect();
    await client.query(sql).finally(() => client.end());
  };
  await run(`CREATE DATABASE ${name}`);
  const url = server.replace(/\/[^/?]*(\?|$)/, `/${name}$1`);
  return { url, drop: () => run(`DROP DATABASE ${name} WITH (FORCE)`) };
}
