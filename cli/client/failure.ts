import { CliError } from '../cli-error.ts';
import { exitReasonOf } from '../exit-codes.ts';

/** The error for an answer that is not a success; the controller’s own sentence when it gave one. */
export function refusal(
  response: Response,
  text: string,
  { url, hints: special }: { url: string; hints?: Record<string, string> | undefined },
): CliError {
  const hints = { ...generalHints, ...special };
  const body = errorBody(text);
  const code = body?.code ?? codeOfStatus(response.status);
  const message =
    body?.error ??
    `${url} answered ${response.status} ${response.statusText} without saying why: is it a Muster controller?`;
  return new CliError(exitReasonOf(response.status, code), message, {
    code,
    detail: detailOf(body, response),
    requestId: body?.request_id ?? response.headers.get('x-request-id') ?? undefined,
    hint: hints[code] ?? (response.status === 401 ? hints['not_authenticated'] : undefined),
  });
}

/** The error for a request that got no answer. */
export function unreachable(url: string, error: unknown): CliError {
  const { code, text } = causeOf(error);
  return new CliError('unreachable', `cannot reach the controller at ${url}: ${text}`, {
    code: code !== undefined && breaks.has(code) ? 'connection_broken' : 'unreachable',
    hint: 'Is it running? Its address comes from --url, MUSTER_URL or a profile.',
    cause: error,
  });
}

interface Body {
  error: string;
  code: string;
  detail?: unknown;
  request_id?: string;
}

function errorBody(text: string): Body | undefined {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== 'object' || body === null) return undefined;
    const { error, code } = body as Record<string, unknown>;
    return typeof error === 'string' && typeof code === 'string' ? (body as Body) : undefined;
  } catch {
    return undefined;
  }
}

function codeOfStatus(status: number): string {
  if (status === 429) return 'too_many_requests';
  return status >= 502 && status <= 504 ? 'unavailable' : `http_${status}`;
}

/** The body’s detail, with the waiting time of a Retry-After header beside it. */
function detailOf(body: Body | undefined, response: Response): unknown {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  if (Number.isNaN(seconds)) return body?.detail;
  const detail = typeof body?.detail === 'object' && body.detail !== null ? body.detail : {};
  return { retry_after_ms: seconds * 1000, ...detail };
}

function causeOf(error: unknown): { code: string | undefined; text: string } {
  if (error instanceof Error && error.name === 'TimeoutError')
    return { code: 'ETIMEDOUT', text: 'no answer in time' };
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = (cause as NodeJS.ErrnoException).code;
  const message = cause instanceof Error ? cause.message : String(cause);
  return { code, text: words[code ?? message] ?? message };
}

/** The connection stood and broke: the same request may work at once. */
const breaks = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

const words: Record<string, string> = {
  'bad port': 'this port is kept for another protocol, and HTTP clients refuse it',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection broke',
  ENOTFOUND: 'this host name does not exist',
  EAI_AGAIN: 'the host name cannot be looked up at the moment',
  EHOSTUNREACH: 'no way to this host',
  ENETUNREACH: 'no way to this network',
  ETIMEDOUT: 'no answer in time',
  UND_ERR_SOCKET: 'the connection broke',
  UND_ERR_CONNECT_TIMEOUT: 'no answer in time',
};

const generalHints: Record<string, string> = {
  not_authenticated:
    'Log in with muster auth login, set MUSTER_TOKEN, give --token-file, or keep a token with: muster profile set NAME --token-stdin',
  token_expired: 'Make a new one with another token: muster auth token create NAME',
  too_few_recipients: 'Say who can decrypt: muster backup config set --recipient age1… --recipient age1…',
  not_cancellable: 'A running task can be asked to stop: muster task cancel CODE --request',
};
