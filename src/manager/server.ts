// The manager's listener. Its app is not built yet.

import type { FastifyInstance } from "fastify";
import { sayingOnly } from "../api/sentence.ts";
import type { Tls } from "../api/tls.ts";

export const notYet = (tls: Tls | null): FastifyInstance =>
  sayingOnly("The manager is not built yet: everything that it will show can be read and done through the API.", tls);
