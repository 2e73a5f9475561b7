// The payment window's listener. Its page is not built yet.

import type { FastifyInstance } from "fastify";
import type { Transport } from "../api/listener.ts";
import { sayingOnly } from "../api/sentence.ts";

export const notYet = (transport: Transport): FastifyInstance =>
  sayingOnly(
    "The payment window is not built yet: payment links can be made through the API, but their pages cannot be opened.",
    transport,
  );
