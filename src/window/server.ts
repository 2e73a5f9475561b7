// The payment window's listener. Its page is not built yet.

import type { FastifyInstance } from "fastify";
import { sayingOnly } from "../api/sentence.ts";
import type { Tls } from "../api/tls.ts";

export const notYet = (tls: Tls | null): FastifyInstance =>
  sayingOnly(
    "The payment window is not built yet: payment links can be made through the API, but their pages cannot be opened.",
    tls,
  );
