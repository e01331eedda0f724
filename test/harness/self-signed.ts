import { generateKeyPairSync, sign } from 'node:crypto';

const day = 86_400_000;

/** One value of ASN.1 in DER. */
function der(tag: number, ...parts: (Buffer | string)[]): Buffer {
  const body = Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'hex') : part)),
  );
  const length =
    body.length < 128
      ? [body.length]
      : body.length < 256
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

/** A certificate that signs itself (RFC 5280): name and address in it, and when it ends. */
export function selfSigned(options: { name: string; expiresAt: number }) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const time = (at: number) =>
    der(0x17, Buffer.from(`${new Date(at).toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`));
  const ecdsaWithSha256 = der(0x30, '06082a8648ce3d040302');
  const name = der(0x30, der(0x31, der(0x30, '0603550403', der(0x0c, Buffer.from(options.name)))));
  const alternatives = der(0x30, der(0x82, Buffer.from(options.name)));
  const body = der(
    0x30,
    der(0xa0, '020102'),
    der(0x02, '2a'),
    ecdsaWithSha256,
    name,
    der(0x30, time(options.expiresAt - 365 * day), time(options.expiresAt)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(0x30, der(0x30, '0603551d11', der(0x04, alternatives)))),
  );
  const signed = der(0x30, body, ecdsaWithSha256, der(0x03, '00', sign('sha256', body, privateKey)));
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${signed.toString('base64')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
