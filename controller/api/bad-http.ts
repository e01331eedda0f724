import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { AppError } from '../../shared/errors.ts';
import { errorBody } from './failures.ts';

/** Answers what is not even HTTP, with the same body as every error, and closes the connection. */
export function answerBadHttp(error: Error & { code?: string }, socket: Socket, requestId: string): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const { status, says } = badHttp[error.code ?? ''] ?? {
    status: 400,
    says: 'The request is not valid HTTP',
  };
  const body = JSON.stringify(errorBody(new AppError('bad_request', says), requestId));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

const badHttp: Record<string, { status: number; says: string }> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    says: 'The headers of the request are larger than this controller accepts',
  },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, says: 'The request did not arrive within a minute' },
};
