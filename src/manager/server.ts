// The manager's listener. Its app is not built yet.

import type { FastifyInstance } from "fastify";
import type { Transport } from "../api/listener.ts";
import { sayingOnly } from "../api/sentence.ts";

export const notYet = (transport: Transport): FastifyInstance =>
  sayingOnly(
    "The manager is not built yet: everything that it will show can be read and done through the API.",
    transport,
  );
