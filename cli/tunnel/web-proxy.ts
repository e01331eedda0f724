import { once } from 'node:events';
import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { joinSocket } from '../../shared/node/mux/join-socket.ts';
import { type Addresses, requestHeaders, responseHeaders } from './web-headers.ts';
import { maxKept, UpstreamAgent } from './web-upstream.ts';

export interface WebProxyParts {
  /** Opens a connection to the device's web server. */
  open: () => Promise<Duplex>;
  upstream: string;
  /** Name under which the browser sees it; `*.localhost` is this machine for every browser. */
  name: string;
  port: number;
  onFailure: (message: string) => void;
}

/** Serves a device's web interface on a port of this machine: requests, redirects, cookies and WebSockets. */
export async function serveWeb(parts: WebProxyParts): Promise<{ url: string; server: Server }> {
  const agent = new UpstreamAgent(parts.open);
  const addresses: Addresses = { local: '', upstream: parts.upstream };
  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 });
  server.on('request', (request, response) => {
    if (isForThisMachine(request, addresses)) return sendOn(request, response, addresses);
    if (!isForUs(request, addresses)) return refuse(response);
    void relay(parts, agent, addresses, { request, response });
  });
  server.on('upgrade', (request, socket, head) => {
    if (!isForUs(request, addresses)) return socket.destroy();
    void upgrade(parts, addresses, { request, socket, head });
  });
  server.listen({ host: '127.0.0.1', port: parts.port });
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : parts.port;
  addresses.local = `http://${parts.name}.localhost:${port}`;
  return { url: `${addresses.local}/`, server };
}

/** A page elsewhere that makes the browser come here under another name (DNS rebinding) must not reach the device. */
function isForUs({ headers }: IncomingMessage, { local }: Addresses): boolean {
  return headers.host === new URL(local).host;
}

/** Names that all devices here would share, and their cookies with them. */
function isForThisMachine({ headers }: IncomingMessage, { local }: Addresses): boolean {
  const { port } = new URL(local);
  return headers.host === `127.0.0.1:${port}` || headers.host === `localhost:${port}`;
}

/** Only the path is taken from the request: it cannot lead elsewhere. */
function sendOn({ url }: IncomingMessage, response: ServerResponse, { local }: Addresses): void {
  const path = url?.startsWith('/') ? url : '/';
  response.writeHead(307, { location: `${local}${path}` }).end();
}

function refuse(response: ServerResponse): void {
  response.writeHead(421, { 'content-type': 'text/plain' }).end('This address is another one\n');
}

async function relay(
  { onFailure }: WebProxyParts,
  agent: UpstreamAgent,
  addresses: Addresses,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
): Promise<void> {
  try {
    const ask = (): ClientRequest =>
      httpRequest({
        agent,
        host: 'device',
        method: request.method,
        path: request.url,
        headers: requestHeaders(request.headers, addresses),
      });
    const incoming = await answerTo(request, ask);
    response.writeHead(
      incoming.statusCode ?? 502,
      incoming.statusMessage,
      responseHeaders(incoming.headers, addresses),
    );
    await pipeline(incoming, response);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const hasLeft = response.destroyed; // the browser, which nobody needs to be told
    if (response.headersSent) response.destroy();
    else
      response
        .writeHead(502, { 'content-type': 'text/plain' })
        .end(`The device could not be asked: ${reason}\n`);
    if (!hasLeft) onFailure(`${request.method} ${request.url}: ${reason}`);
  }
}

/** A connection that was kept may have ended meanwhile, and says so only when it is used: what has no body is asked again on another. */
async function answerTo(request: IncomingMessage, ask: () => ClientRequest): Promise<IncomingMessage> {
  const isRepeatable = request.method === 'GET' || request.method === 'HEAD';
  for (let turn = 1; ; turn += 1) {
    const outgoing = ask();
    try {
      const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
      const sent = isRepeatable ? outgoing.end() : pipeline(request, outgoing);
      const [, [incoming]] = await Promise.all([sent, answered]);
      return incoming;
    } catch (error) {
      outgoing.destroy();
      if (!isRepeatable || !outgoing.reusedSocket || turn > maxKept) throw error;
    }
  }
}

/** WebSocket: the same request on a connection of its own, and then whatever both say. */
async function upgrade(
  { open, onFailure }: WebProxyParts,
  addresses: Addresses,
  { request, socket, head }: { request: IncomingMessage; socket: Duplex; head: Buffer },
): Promise<void> {
  try {
    const device = await open();
    const headers = {
      ...requestHeaders(request.headers, addresses),
      connection: 'Upgrade',
      upgrade: request.headers.upgrade ?? 'websocket',
    };
    const lines = Object.entries(headers).flatMap(([name, value]) =>
      [value].flat().map((one) => `${name}: ${one}`),
    );
    device.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    device.write(head);
    await joinSocket(socket as Socket, device);
  } catch (error) {
    socket.destroy();
    onFailure(`${request.url}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
