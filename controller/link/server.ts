import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ServerOptions, WebSocketServer } from 'ws';
import type { ErrorBody } from '../../shared/api/common.ts';
import type { Clock } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import type { FrameSocket } from '../../shared/frame-socket.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { type LinkRefusalDetail, linkPath } from '../../shared/protocol/enrol.ts';
import { sessionPath } from '../../shared/protocol/session.ts';
import { maxFrameBytes } from '../../shared/protocol/version.ts';
import type { Admission, AdmittedDevice } from '../devices/admission.ts';
import { WsSocket } from './ws-socket.ts';

export interface LinkServerParts {
  server: Server;
  /** Takes the upgrades of remote sessions; throws what is refused at once. */
  sessions: (upgrade: {
    request: IncomingMessage;
    socket: Duplex;
    head: Buffer;
    refuse: (error: unknown) => void;
  }) => Promise<void>;
  admission: Pick<Admission, 'authenticate'>;
  openLink(device: AdmittedDevice, socket: FrameSocket): void;
  clock: Clock;
  log: Logger;
}

/** Frames up to twice the limit are still read, so that the link can be closed with a code that says why. */
const maxPayload = 2 * maxFrameBytes;
/** How long a peer may take to answer a close before its socket is destroyed. */
const closeTimeout = 5_000;

/**
 * Takes the WebSocket upgrades of an HTTP server. Nobody gets a WebSocket before it is authenticated: refusals are plain HTTP answers
 * with the error body of the REST interface. Returns the call that stops taking upgrades.
 */
export function serveLinks(parts: LinkServerParts): () => void {
  const options: ServerOptions & { closeTimeout: number } = {
    noServer: true,
    maxPayload,
    closeTimeout,
    perMessageDeflate: false,
    clientTracking: false,
  };
  const wss = new WebSocketServer(options);
  let stopped = false;
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', onSocketError);
    const refuseWhenStopped = (): void => {
      if (stopped) throw refusal(parts, 'unavailable', 'The controller is stopping', 1_000);
    };
    upgrade(parts, wss, { request, socket, head, refuseWhenStopped }).catch((error: unknown) => {
      refuse(parts, socket, error);
    });
  };
  parts.server.on('upgrade', onUpgrade);
  return () => {
    stopped = true;
  };
}

/** A connection that breaks before its upgrade is nobody's concern. */
function onSocketError(): void {}

interface UpgradeRequest {
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  refuseWhenStopped: () => void;
}

async function upgrade(
  parts: LinkServerParts,
  wss: WebSocketServer,
  { request, socket, head, refuseWhenStopped }: UpgradeRequest,
): Promise<void> {
  refuseWhenStopped();
  const path = request.url?.split('?')[0];
  if (path === sessionPath) {
    return parts.sessions({ request, socket, head, refuse: (error) => refuse(parts, socket, error) });
  }
  if (path !== linkPath) {
    throw new AppError(
      'not_found',
      `Nothing can be upgraded at ${path ?? ''}, only ${linkPath} and ${sessionPath}`,
    );
  }
  if (
    request.headers.upgrade?.toLowerCase() !== 'websocket' ||
    request.headers['sec-websocket-key'] === undefined
  ) {
    throw new AppError('upgrade_required', `${linkPath} is a WebSocket: expected Upgrade: websocket`);
  }
  const device = await parts.admission.authenticate(request.headers.authorization);
  if (socket.destroyed) return;
  refuseWhenStopped(); // it may have been stopped meanwhile, and nobody would close this link
  socket.removeListener('error', onSocketError);
  wss.handleUpgrade(request, socket, head, (ws) => parts.openLink(device, new WsSocket(ws, socket)));
}

const refusal = (
  { clock }: LinkServerParts,
  code: 'unavailable' | 'internal',
  message: string,
  retryMs: number,
  cause?: unknown,
): AppError => {
  const detail: LinkRefusalDetail = { controller_time: clock.now(), retry_after_ms: retryMs };
  return new AppError(code, message, { detail, cause });
};

/** Answers the upgrade with an error, as plain HTTP. */
function refuse(parts: LinkServerParts, socket: Duplex, error: unknown): void {
  const requestId = randomUUID();
  const told =
    error instanceof AppError
      ? error
      : refusal(
          parts,
          'internal',
          'The controller failed; its log has more under this request id',
          5_000,
          error,
        );
  if (told.code === 'internal') parts.log.error({ err: error, requestId }, 'link upgrade failed');
  else parts.log.debug({ code: told.code, reason: told.message, requestId }, 'link refused');
  if (socket.destroyed) return;

  const detail = told.detail ?? { controller_time: parts.clock.now(), retry_after_ms: 0 };
  const body: ErrorBody = { error: told.message, code: told.code, detail, request_id: requestId };
  const text = JSON.stringify(body);
  const retryMs = retryAfterMs(told.detail);
  const head = [
    `HTTP/1.1 ${told.status} ${STATUS_CODES[told.status] ?? ''}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text)}`,
    `X-Request-Id: ${requestId}`,
    ...(retryMs > 0 ? [`Retry-After: ${Math.ceil(retryMs / 1000)}`] : []),
    ...(told.status === 426 ? ['Upgrade: websocket'] : []),
    'Connection: close',
  ];
  // The server allows half-open connections: without this, a caller that never closes its side would keep it.
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`, () => socket.destroy());
}

const retryAfterMs = (detail: unknown): number =>
  typeof detail === 'object' && detail !== null && 'retry_after_ms' in detail
    ? Number(detail.retry_after_ms)
    : 0;
