import { expect, test } from 'vitest';
import { resultText } from './result-text.ts';

const check = (verdict: string, name: string, message: string) => ({ verdict, name, message });

test.each([
  ['PING', { round_trip_ms: 1.2345 }, '1.23 ms'],
  ['PING', { round_trip_ms: null, host: 'x', sent: 4, received: 0 }, '0 of 4 replies'],
  ['SCRIPT', { exit_code: 0 }, 'exit code 0'],
  [
    'HEALTH_CHECK',
    {
      checks: [
        check('pass', 'load', 'low'),
        check('warn', 'memory', '90 %'),
        check('fail', 'disk /', 'full'),
      ],
    },
    'fail disk /: full; warn memory: 90 %; 1 pass',
  ],
  ['HEALTH_CHECK', { checks: 'nonsense' }, ''],
  ['REBOOT', { boot_id: 'x' }, ''],
  ['NETDIAG.ROUTE', { gateway: null }, '{"gateway":null}'],
  ['NETDIAG.ROUTE', { text: 'x'.repeat(300) }, `{"text":"${'x'.repeat(190)}…`],
  ['NETDIAG.ROUTE', null, ''],
  ['PING', null, ''],
] as const)('a result of %s in one line: %j', (type, result, text) => {
  expect(resultText({ type, result: result === null ? null : { ...result } })).toBe(text);
});
