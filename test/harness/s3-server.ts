import { createHash, createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a credential may do. */
export interface S3Account {
  accessKeyId: string;
  secretAccessKey: string;
  mayDelete: boolean;
}

interface Parts {
  key: string;
  parts: Map<number, Buffer>;
}

/**
 * As much of S3 as the store needs, in memory: signatures (version 4) and the digests of bodies are checked, `If-None-Match` and parts
 * behave as AWS documents them, and what is not known is refused.
 */
export class S3Server implements AsyncDisposable {
  readonly objects = new Map<string, Buffer>();
  /** `METHOD key` of every request that was let in. */
  readonly requests: string[] = [];
  /** Headers of the last PUT. */
  lastPut: IncomingMessage['headers'] = {};
  readonly #accounts: S3Account[];
  readonly #bucket: string;
  readonly #uploads = new Map<string, Parts>();
  readonly #server: Server;

  private constructor(bucket: string, accounts: S3Account[]) {
    this.#bucket = bucket;
    this.#accounts = accounts;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        refuse(
          response,
          error instanceof S3Refusal ? error : new S3Refusal(500, 'InternalError', String(error)),
        );
      });
    });
  }

  static async start(bucket: string, accounts: S3Account[]): Promise<S3Server> {
    const server = new S3Server(bucket, accounts);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Uploads in parts that were begun and neither completed nor given up. */
  get openUploads(): number {
    return this.#uploads.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await request.toArray());
    const url = new URL(request.url ?? '', this.url);
    const account = this.#authenticate(request, url, body);
    const [, bucket, ...rest] = url.pathname.split('/').map(decodeURIComponent);
    if (bucket !== this.#bucket) throw new S3Refusal(404, 'NoSuchBucket', `${bucket} does not exist`);
    const call = { request, response, url, body, key: rest.join('/'), account };
    this.requests.push(`${request.method} ${call.key}`);
    switch (request.method) {
      case 'PUT':
        return this.#put(call);
      case 'POST':
        return this.#post(call);
      case 'GET':
        return call.key === '' ? this.#list(call) : this.#get(call);
      case 'HEAD':
        return this.#get(call);
      case 'DELETE':
        return this.#delete(call);
      default:
        throw new S3Refusal(405, 'MethodNotAllowed', `${request.method} is not known`);
    }
  }

  #put({ request, response, url, body, key }: S3Call): void {
    const uploadId = url.searchParams.get('uploadId');
    if (uploadId !== null) {
      const upload = this.#uploads.get(uploadId);
      if (upload?.key !== key) throw new S3Refusal(404, 'NoSuchUpload', 'there is no such upload');
      upload.parts.set(Number(url.searchParams.get('partNumber')), body);
      answer(response, 200, { etag: etagOf(body) });
      return;
    }
    this.lastPut = request.headers;
    this.#requireAbsent(request, key);
    this.objects.set(key, body);
    answer(response, 200, { etag: etagOf(body) });
  }

  #post({ request, response, url, body, key }: S3Call): void {
    if (url.searchParams.has('uploads')) {
      const id = randomUUID();
      this.#uploads.set(id, { key, parts: new Map() });
      const names = `<Bucket>${this.#bucket}</Bucket><Key>${key}</Key><UploadId>${id}</UploadId>`;
      answer(response, 200, {}, `<InitiateMultipartUploadResult>${names}</InitiateMultipartUploadResult>`);
      return;
    }
    const uploadId = url.searchParams.get('uploadId') ?? '';
    const upload = this.#uploads.get(uploadId);
    if (upload?.key !== key) throw new S3Refusal(404, 'NoSuchUpload', 'there is no such upload');
    this.#requireAbsent(request, key);
    const named = [...body.toString().matchAll(/<Part>.*?<\/Part>/gs)].map(([part]) => ({
      number: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
      etag: /<ETag>(.*?)</.exec(part)?.[1]?.replaceAll('&quot;', '"'),
    }));
    const bytes = named.map(({ number, etag }, at) => {
      const part = upload.parts.get(number);
      if (part === undefined || etagOf(part) !== etag)
        throw new S3Refusal(400, 'InvalidPart', `part ${number}`);
      if (at < named.length - 1 && part.length < 5 * 1024 * 1024)
        throw new S3Refusal(400, 'EntityTooSmall', `part ${number} has ${part.length} bytes`);
      return part;
    });
    this.#uploads.delete(uploadId);
    this.objects.set(key, Buffer.concat(bytes));
    answer(
      response,
      200,
      {},
      `<CompleteMultipartUploadResult><Key>${key}</Key></CompleteMultipartUploadResult>`,
    );
  }

  #get({ request, response, key }: S3Call): void {
    const object = this.objects.get(key);
    if (object === undefined) throw new S3Refusal(404, 'NoSuchKey', `${key} does not exist`);
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const [start, end] = range
      ? [Number(range[1]), range[2] ? Math.min(Number(range[2]), object.length - 1) : object.length - 1]
      : [0, object.length - 1];
    if (range && start >= object.length) throw new S3Refusal(416, 'InvalidRange', 'beyond the end');
    const bytes = object.subarray(start, end + 1);
    const headers = {
      etag: etagOf(object),
      'content-length': String(bytes.length),
      ...(range && { 'content-range': `bytes ${start}-${end}/${object.length}` }),
    };
    answer(response, range ? 206 : 200, headers, request.method === 'HEAD' ? undefined : bytes);
  }

  #list({ response, url }: S3Call): void {
    const prefix = url.searchParams.get('prefix') ?? '';
    const after = url.searchParams.get('continuation-token') ?? '';
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    const page = keys.slice(0, 2);
    const contents = page.map(
      (key) =>
        `<Contents><Key>${key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>${this.objects.get(key)?.length}</Size></Contents>`,
    );
    const more = keys.length > page.length;
    const next = more ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : '';
    const body = `<ListBucketResult><IsTruncated>${more}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`;
    answer(response, 200, {}, body);
  }

  #delete({ response, url, key, account }: S3Call): void {
    const uploadId = url.searchParams.get('uploadId');
    if (uploadId !== null) {
      this.#uploads.delete(uploadId);
      return answer(response, 204);
    }
    if (!account.mayDelete) throw new S3Refusal(403, 'AccessDenied', 'this credential may not delete');
    this.objects.delete(key);
    answer(response, 204);
  }

  #requireAbsent(request: IncomingMessage, key: string): void {
    if (request.headers['if-none-match'] === '*' && this.objects.has(key))
      throw new S3Refusal(412, 'PreconditionFailed', `${key} exists`);
  }

  /** AWS signature version 4 over method, path, query, signed headers and the digest of the body. */
  #authenticate(request: IncomingMessage, url: URL, body: Buffer): S3Account {
    const header = request.headers.authorization ?? '';
    const [, id, scope = '', signed = '', signature] =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)$/.exec(
        header,
      ) ?? [];
    const account = this.#accounts.find(({ accessKeyId }) => accessKeyId === id);
    if (account === undefined) throw new S3Refusal(403, 'InvalidAccessKeyId', `${id} is not known`);
    const digest = String(request.headers['x-amz-content-sha256']);
    if (digest !== 'UNSIGNED-PAYLOAD' && digest !== createHash('sha256').update(body).digest('hex'))
      throw new S3Refusal(400, 'XAmzContentSHA256Mismatch', 'the body is not what was signed');
    const query = [...url.searchParams]
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .sort()
      .join('&');
    const headers = signed.split(';').map((name) => `${name}:${String(request.headers[name]).trim()}\n`);
    const canonical = [request.method, url.pathname, query, headers.join(''), signed, digest].join('\n');
    const at = String(request.headers['x-amz-date']);
    const hashed = createHash('sha256').update(canonical).digest('hex');
    const toSign = ['AWS4-HMAC-SHA256', at, scope, hashed].join('\n');
    const key = scope
      .split('/')
      .reduce<string | Buffer>((secret, part) => hmac(secret, part), `AWS4${account.secretAccessKey}`);
    if (hmac(key, toSign).toString('hex') !== signature)
      throw new S3Refusal(403, 'SignatureDoesNotMatch', 'the signature is wrong');
    return account;
  }
}

interface S3Call {
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
  body: Buffer;
  key: string;
  account: S3Account;
}

class S3Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

const etagOf = (bytes: Buffer): string => `"${createHash('md5').update(bytes).digest('hex')}"`;

const encode = (text: string): string =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );

function answer(
  response: ServerResponse,
  status: number,
  headers: Record<string, string> = {},
  body?: string | Buffer,
): void {
  response.writeHead(status, {
    ...(typeof body === 'string' && { 'content-type': 'application/xml' }),
    ...headers,
  });
  response.end(body);
}

function refuse(response: ServerResponse, { status, code, message }: S3Refusal): void {
  answer(response, status, {}, `<Error><Code>${code}</Code><Message>${message}</Message></Error>`);
}
