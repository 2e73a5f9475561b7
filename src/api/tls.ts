// TLS for every listener (reference: extensions, section 1).

export type TlsVersion = "TLSv1" | "TLSv1.1" | "TLSv1.2";
export type Tls = { readonly cert: string; readonly key: string; readonly min_version: TlsVersion };

/** Options for Fastify. OpenSSL lets TLS 1.0 and 1.1 happen at its security level 0 only. */
export const httpsOptions = (tls: Tls | null): object =>
  tls === null
    ? {}
    : {
        https: {
          cert: tls.cert,
          key: tls.key,
          minVersion: tls.min_version,
          ...(tls.min_version === "TLSv1.2" ? {} : { ciphers: "DEFAULT:@SECLEVEL=0" }),
        },
      };
