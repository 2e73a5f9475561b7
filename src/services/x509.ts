// The library for certificates and what asks for them, loaded by the first who needs it.

/** `@peculiar/x509`, which wants its polyfill first. */
export async function x509Library() {
  await import("reflect-metadata");
  return import("@peculiar/x509");
}
