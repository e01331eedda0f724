import { expect, test } from 'vitest';
import { parseForward } from './forward.ts';

test.each([
  ['8443:127.0.0.1:443', { bind: '127.0.0.1', port: 8443, host: '127.0.0.1', hostPort: 443 }],
  ['0:nas.example:22', { bind: '127.0.0.1', port: 0, host: 'nas.example', hostPort: 22 }],
  ['0.0.0.0:80:[::1]:8080', { bind: '0.0.0.0', port: 80, host: '::1', hostPort: 8080 }],
  ['[::1]:80:host:81', { bind: '::1', port: 80, host: 'host', hostPort: 81 }],
])('%s is understood as ssh does', (text, forward) => {
  expect(parseForward(text)).toEqual(forward);
});

test.each([
  '',
  '80',
  '80:host',
  '80:host:0',
  '70000:host:1',
  '80:host:70000',
  '80:::1:22',
  'x:host:22',
  '80:host:22:',
])('%j is refused with an example', (text) => {
  expect(() => parseForward(text)).toThrow(/8443:127.0.0.1:443/);
});
