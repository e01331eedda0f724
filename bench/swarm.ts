/**
 * Many agents in one worker: each speaks the link protocol as an agent does (token, hello, accept, result, acknowledgement), but keeps
 * nothing on disk and runs nothing. Tasks are SCRIPTs whose `env.STARTED_AT` tells when they were asked for.
 */
import { randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { linkPath } from '../shared/protocol/enrol.ts';
import { importPrivateKey } from '../shared/node/keys.ts';
import { defaultSlots } from '../shared/task-types/task-type.ts';
import { answer } from './children.ts';
import { Completions } from './completions.ts';

export interface SwarmMember {
  deviceId: string;
  /** PKCS #8 PEM. */
  privateKey: string;
}

interface Controller {
  port: number;
  controllerId: string;
}

const completions = new Completions();
const members: Member[] = [];

class Member {
  readonly #deviceId: string;
  readonly #privateKey: ReturnType<typeof importPrivateKey>['privateKey'];
  readonly #storeId = randomUUID();
  readonly #instanceId = randomUUID();
  readonly #startedAt = new Map<string, number>();
  /** Codes whose result is sent, by seq, until it is acknowledged. */
  #results: { seq: number; code: string }[] = [];
  #socket: WebSocket | undefined;
  #token = '';
  #seq = 0;
  #connection = 0;

  constructor({ deviceId, privateKey }: SwarmMember) {
    this.#deviceId = deviceId;
    this.#privateKey = importPrivateKey(privateKey).privateKey;
  }

  /** Signs the token ahead of time, so that a storm measures the controller and not this worker. */
  prepare({ controllerId }: Controller): void {
    const nowSeconds = Math.floor(Date.now() / 1000);
    const text = [
      { alg: 'EdDSA', typ: 'JWT' },
      {
        aud: controllerId,
        sub: this.#deviceId,
        iss: this.#deviceId,
        iat: nowSeconds,
        exp: nowSeconds + 58,
        jti: randomUUID(),
      },
    ]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    this.#token = `${text}.${sign(null, Buffer.from(text), this.#privateKey).toString('base64url')}`;
  }

  /** Settles when the controller has welcomed this member; retries for ever when it refuses or goes away. */
  async connect(controller: Controller): Promise<void> {
    for (;;) {
      if (this.#token === '') this.prepare(controller);
      if (await this.#attempt(controller)) return;
      this.#token = '';
      await sleep(50 + Math.random() * 200);
    }
  }

  #attempt({ port }: Controller): Promise<boolean> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${linkPath}`, {
      perMessageDeflate: false,
      headers: { authorization: `Bearer ${this.#token}` },
    });
    this.#socket = socket;
    return new Promise((settle) => {
      socket.once('error', () => settle(false));
      socket.once('close', () => settle(false));
      socket.once('open', () => this.#hello());
      socket.on('message', (data) => {
        const message = JSON.parse(String(data));
        if (message.type === 'welcome') settle(true);
        else this.#receive(message);
      });
    });
  }

  #hello(): void {
    this.#connection += 1;
    this.#send({
      type: 'hello',
      protocol: { min: 1, max: 1 },
      agentVersion: '0.1.0',
      bootId: this.#storeId,
      instanceId: this.#instanceId,
      epoch: 1,
      connection: this.#connection,
      storeId: this.#storeId,
      taskTypes: ['PING', 'SCRIPT'],
      slots: defaultSlots,
      tasks: [],
      lastSeq: this.#seq,
      clock: Date.now(),
      factsDigest: '',
    });
  }

  #receive(message: { type: string; order: string; code: string; codes: string[]; seq: number }): void {
    if (message.type === 'task.offer') {
      const order = JSON.parse(message.order);
      this.#startedAt.set(message.code, Number(order.parameters.env?.STARTED_AT ?? 0));
      this.#report([{ type: 'task.accepted', code: message.code, attempt: 1 }]);
    } else if (message.type === 'task.start') {
      const reports = message.codes.map((code) => ({
        type: 'task.result',
        code,
        attempt: 1,
        outcome: 'COMPLETED',
        result: {
          exit_code: 0,
          signal: null,
          duration_ms: 3,
          stdout_lines: 1,
          stderr_lines: 0,
          truncated: false,
        },
      }));
      const first = this.#seq + 1;
      this.#report(reports);
      message.codes.forEach((code, index) => this.#results.push({ seq: first + index, code }));
    } else if (message.type === 'report.ack') {
      for (const { code } of this.#results.filter(({ seq }) => seq <= message.seq)) {
        completions.add(this.#startedAt.get(code) ?? 0);
        this.#startedAt.delete(code);
      }
      this.#results = this.#results.filter(({ seq }) => seq > message.seq);
    }
  }

  #report(reports: Record<string, unknown>[]): void {
    const at = Date.now();
    const rows = reports.map((report) => {
      this.#seq += 1;
      return { ...report, seq: this.#seq, at };
    });
    this.#send({ type: 'report.batch', reports: rows });
  }

  #send(message: unknown): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Settles when the controller has gone away. */
  async lost(): Promise<void> {
    if (this.#socket?.readyState === WebSocket.OPEN) await once(this.#socket, 'close');
  }
}

async function connectAll(controller: Controller, window: number): Promise<{ seconds: number }> {
  for (const member of members) member.prepare(controller);
  const startedAt = performance.now();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < members.length) await members[next++]?.connect(controller);
  };
  await Promise.all(Array.from({ length: Math.min(window, members.length) }, lane));
  return { seconds: (performance.now() - startedAt) / 1000 };
}

answer({
  add: (added: SwarmMember[]) => {
    members.push(...added.map((member) => new Member(member)));
    return members.length;
  },
  connect: ({ controller, window }: { controller: Controller; window: number }) =>
    connectAll(controller, window),
  lost: async () => {
    await Promise.all(members.map((member) => member.lost()));
    return true;
  },
  expect: (count: number) => {
    completions.expect(count);
    return true;
  },
  reached: async (withinMs: number) => {
    await completions.reached(withinMs);
    return completions.figures();
  },
});
