import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { Down } from '../shared/protocol/down.ts';
import {
  EnrolAnswer,
  EnrolRequest,
  EnrolStatement,
  EnrolmentTicket,
  LinkRefusalDetail,
  linkPath,
} from '../shared/protocol/enrol.ts';
import { TaskOrder } from '../shared/protocol/task.ts';
import { Up } from '../shared/protocol/up.ts';
import { closeCodes, maxFrameBytes, protocolVersion } from '../shared/protocol/version.ts';

/** What each version of the link protocol looks like. Rows of released versions are never altered. */
const fingerprints: Record<number, string> = {
  1: '99432042e4a03f6a',
  2: '28950556c92d8fff',
  3: 'acd01e89fcdad96e',
  4: 'f47baffd8fb4bf4c',
};

/** Everything that crosses the wire as words and shapes; descriptions are for people and may change. */
function fingerprint(): string {
  const schemas = {
    Up,
    Down,
    TaskOrder,
    EnrolmentTicket,
    EnrolRequest,
    EnrolStatement,
    EnrolAnswer,
    LinkRefusalDetail,
  };
  const shapes = Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [
      name,
      z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }),
    ]),
  );
  const text = JSON.stringify({ shapes, closeCodes, maxFrameBytes, linkPath }, withoutProse);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** Keys in order, so that moving a line is no change of the wire. */
function withoutProse(key: string, value: unknown): unknown {
  if (key === 'description' && typeof value === 'string') return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)));
}

test('the wire changes only together with the protocol version', () => {
  expect(
    fingerprint(),
    `The messages of the link differ from what version ${protocolVersion} is known to be. ` +
      'Raise protocolVersion in shared/protocol/version.ts, add its line of history there, keep reading the older version, ' +
      'and add the new fingerprint to this table.',
  ).toBe(fingerprints[protocolVersion]);
});
