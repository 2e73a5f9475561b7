// Brandings and their files (reference: resources, section 13).

import { Type } from "typebox";
import {
  type AnyRequest,
  del,
  type Effect,
  get,
  idIn,
  patch,
  post,
  put,
  type Reply,
  uploaded,
} from "../api/endpoint.ts";
import { oneOf, text } from "../api/fields.ts";
import { listReply, pagingFields, type Sorting } from "../api/paging.ts";
import { isResourceName, mimeOf } from "../domain/branding-files.ts";
import { Refused } from "../domain/refusal.ts";
import { preview_pages, preview_types, previewUrl } from "../services/branding-previews.ts";
import {
  type BrandingKey,
  branding_name_max,
  changeBranding,
  copyBranding,
  createBranding,
  findBranding,
  findFile,
  noFile,
  putFile,
  removeBranding,
  removeFile,
} from "../services/brandings.ts";
import { mustHave } from "../services/plans.ts";
import { wireTime } from "../services/present.ts";
import { type FileKey, listBrandings } from "../storage/brandings.ts";
import {
  BrandingShape,
  PreviewShape,
  presentBranding,
  type Shown,
  shown_fields,
  shownBy,
  showsData,
} from "./branding-shape.ts";
import { FileShape, fileReply } from "./files.ts";

const sorting: Sorting<"name" | "id"> = { sorts: { name: "text", id: "number" }, sort_by: "name", sort_dir: "asc" };

const name = text({ min: 1, max: branding_name_max, pattern: /^\P{Cc}*$/u });

// With what their files hold, each may be more than a megabyte.
const page_size_with_data_max = 5;

const keyOf = ({ account, path }: AnyRequest<"merchant">): BrandingKey => ({
  account_id: account.id,
  id: idIn(path, "Branding"),
});

/** Names the file in the path. Throws what `otherwise` makes for a name that no file can have. */
function fileKey(request: AnyRequest<"merchant">, otherwise: () => Refused): FileKey {
  const key = keyOf(request);
  const { resource_name = "" } = request.path;
  if (!isResourceName(resource_name)) throw otherwise();
  return { ...key, name: resource_name };
}

const wrongName = (): Refused => new Refused("validation", { resource_name: ["is invalid"] });

async function present({ services, account }: AnyRequest<"merchant">, id: number, shown: Shown) {
  return presentBranding(await findBranding(services, { account_id: account.id, id }, showsData(shown)), shown);
}

async function created(request: AnyRequest<"merchant">, id: number, shown: Shown): Promise<Reply> {
  return {
    status: 201,
    body: await present(request, id, shown),
    headers: { Location: `${request.services.addresses.api_url}/brandings/${id}` },
  };
}

/** For a repeat: what its parameters say, which the first request's check has passed. */
function shownAgain({ params }: AnyRequest): Shown {
  const named = (parameter: string): string | undefined => {
    const value = params[parameter];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  return shownBy({ except: named("except"), only: named("only") });
}

const brandings = [
  get("/brandings", {
    summary: "List brandings",
    description: `With what the files hold (\`only\`, \`except\`) a page has at most ${page_size_with_data_max}.`,
    scope: "merchant",
    input: Type.Object({ ...shown_fields, ...pagingFields(sorting) }),
    output: { 200: Type.Array(BrandingShape) },
    handle: async (request) => {
      const { services, account, input } = request;
      const shown = shownBy(input);
      const with_data = showsData(shown);
      if (with_data && (input.page_size ?? 0) > page_size_with_data_max)
        throw new Refused("validation", { page_size: ["is too large"] });
      return listReply(request, {
        input: with_data ? { page_size: page_size_with_data_max, ...input } : input,
        sorting,
        fetch: (page) => listBrandings(services.pool, { account_id: account.id, with_data, ...page }),
        anchorOf: (row, sort_by) => ({ value: row[sort_by], id: row.id }),
        present: (row) => presentBranding(row, shown),
      });
    },
  }),
  post("/brandings", {
    summary: "Create a branding",
    description: "Without files: these are put one by one.",
    scope: "merchant",
    input: Type.Object({ name }, { examples: [{ name: "Shop 2026" }] }),
    output: { 201: BrandingShape },
    handle: async (request) => {
      const { services, actor, account, input } = request;
      mustHave(services, account, "brandings");
      const id = await createBranding(services, actor, { account_id: account.id, name: input.name });
      return created(request, id, shownBy());
    },
    resume: (request, { id }) => created(request, id, shownBy()),
  }),
  get("/brandings/:id", {
    summary: "Read a branding",
    scope: "merchant",
    input: Type.Object(shown_fields),
    output: { 200: BrandingShape },
    handle: async (request) => ({
      status: 200,
      body: await present(request, keyOf(request).id, shownBy(request.input)),
    }),
  }),
  patch("/brandings/:id", {
    summary: "Rename a branding",
    scope: "merchant",
    input: Type.Object({ name: Type.Optional(name), ...shown_fields }, { examples: [{ name: "Shop 2027" }] }),
    output: { 200: BrandingShape },
    handle: async (request) => {
      const { services, actor, input } = request;
      const id = await changeBranding(services, actor, { key: keyOf(request), name: input.name });
      return { status: 200, body: await present(request, id, shownBy(input)) };
    },
    resume: async (request, { id }: Effect) => ({
      status: 200,
      body: await present(request, id, shownAgain(request)),
    }),
  }),
  del("/brandings/:id", {
    summary: "Delete a branding and its files",
    description: "An account whose default it was has no default any more.",
    scope: "merchant",
    input: Type.Object({}),
    output: { 204: null },
    handle: async (request) => {
      await removeBranding(request.services, request.actor, keyOf(request));
      return { status: 204 };
    },
    resume: () => ({ status: 204 }),
  }),
  post("/brandings/:id/copy", {
    summary: "Copy a branding with its files",
    scope: "merchant",
    input: Type.Object(shown_fields),
    output: { 201: BrandingShape },
    handle: async (request) => {
      const { services, actor, account } = request;
      const source = keyOf(request);
      await findBranding(services, source, false);
      mustHave(services, account, "brandings");
      const id = await copyBranding(services, actor, source);
      return created(request, id, shownBy(request.input));
    },
    resume: (request, { id }) => created(request, id, shownAgain(request)),
  }),
  post("/brandings/:id/preview", {
    summary: "Get an address that shows one of a branding's pages",
    description:
      "At the payment window, for 15 minutes, with a payment that nobody made; nothing can be paid there. It may be shown in a frame of the manager.",
    scope: "merchant",
    input: Type.Object(
      {
        page: Type.Optional(oneOf(preview_pages, { default: "form" })),
        language: Type.Optional(text({ pattern: /^[a-z]{2}$/, default: "en", description: "Two letters" })),
        transaction_type: Type.Optional(oneOf(preview_types, { default: "payment" })),
      },
      { examples: [{ page: "form", language: "da" }] },
    ),
    output: { 201: PreviewShape },
    handle: async (request) => {
      const { services, account, input } = request;
      const branding = await findBranding(services, keyOf(request), false);
      const { page = "form", language = "en", transaction_type = "payment" } = input;
      const shown = { account_id: account.id, branding_id: branding.id, page, language, transaction_type };
      const { url, expires_at } = previewUrl(services, shown);
      return { status: 201, body: { url, expires_at: wireTime(expires_at) } };
    },
  }),
];

const about_names = "Its name is what is left of the path, slashes included: `templates/form/card.liquid`.";

const files = [
  get("/brandings/:id/*resource_name", {
    summary: "Read a branding's file",
    description: about_names,
    scope: "merchant",
    static: true,
    input: Type.Object({}),
    output: { 200: FileShape },
    handle: async (request) => {
      const key = fileKey(request, noFile);
      return fileReply(await findFile(request.services, key), mimeOf(key.name));
    },
  }),
  put("/brandings/:id/*resource_name", {
    summary: "Put a file into a branding, or another one in its place",
    description: `${about_names} Liquid templates, stylesheets, images, gettext locales, \`config.json\` and \`VERSION\`, below 1 MB together, are taken; script is not. A template is read and rendered once, on a sample: one that is not Liquid, takes more than 100 ms or makes more than 512 kB is refused.`,
    scope: "merchant",
    file: true,
    input: Type.Object({}),
    output: { 204: null },
    handle: async (request) => {
      await putFile(request.services, request.actor, fileKey(request, wrongName), uploaded(request));
      return { status: 204 };
    },
    resume: () => ({ status: 204 }),
  }),
  del("/brandings/:id/*resource_name", {
    summary: "Delete a branding's file",
    description: about_names,
    scope: "merchant",
    input: Type.Object({}),
    output: { 204: null },
    handle: async (request) => {
      await removeFile(request.services, request.actor, fileKey(request, noFile));
      return { status: 204 };
    },
    resume: () => ({ status: 204 }),
  }),
];

export const brandingEndpoints = [...brandings, ...files];
