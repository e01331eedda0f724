import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { AppError } from '../../shared/errors.ts';
import { sessionHeader, sessionUpgrade } from '../../shared/protocol/session.ts';
import type { Admission } from '../devices/admission.ts';
import { operatorTokenPrefix, type Sessions } from './sessions.ts';
import { holdUpgrade } from './upgrade.ts';

export interface SessionServerParts {
  sessions: Sessions;
  admission: Pick<Admission, 'authenticateRequest'>;
}

export interface SessionUpgrade {
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  /** Answers with an error as plain HTTP. */
  refuse: (error: unknown) => void;
}

/** Takes the upgrades of both sides of sessions. Throws `AppError` for what is refused at once. */
export function serveSessions({
  sessions,
  admission,
}: SessionServerParts): (upgrade: SessionUpgrade) => Promise<void> {
  const wss = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    clientTracking: false,
    maxPayload: 1024 * 1024,
    handleProtocols: () => sessionUpgrade,
  });
  return async (upgrade) => {
    const { request } = upgrade;
    const kind = request.headers.upgrade?.toLowerCase();
    if (kind !== sessionUpgrade && kind !== 'websocket') {
      throw new AppError('upgrade_required', `expected Upgrade: ${sessionUpgrade}, or websocket`);
    }
    const session = request.headers[sessionHeader];
    if (typeof session !== 'string' || !/^[0-9a-f-]{36}$/.test(session)) {
      throw new AppError('bad_request', `The header ${sessionHeader} must name the session`);
    }
    const bearer = /^Bearer (\S{1,4096})$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const arrival = holdUpgrade(upgrade, wss);
    if (bearer.startsWith(operatorTokenPrefix)) {
      await sessions.operatorArrives(session, bearer, request.socket.remoteAddress ?? '', arrival);
    } else {
      const device = await admission.authenticateRequest(request.headers.authorization);
      await sessions.deviceArrives(session, device, arrival);
    }
  };
}
