import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HealthCheckItem } from '../../shared/task-types/health-check.ts';
import { CliError } from '../cli-error.ts';
import { parseCheck } from './health-check.ts';

test.each([
  ['disk', { check: 'disk' }],
  ['disk:/var/log', { check: 'disk', path: '/var/log' }],
  ['memory', { check: 'memory' }],
  ['load', { check: 'load' }],
  ['service:nginx.service', { check: 'service', unit: 'nginx.service' }],
  ['service:getty@tty1', { check: 'service', unit: 'getty@tty1' }],
  ['tcp:10.0.0.1:53', { check: 'tcp', host: '10.0.0.1', port: 53 }],
  ['tcp:[2001:db8::1]:443', { check: 'tcp', host: '2001:db8::1', port: 443 }],
  ['http:https://example.org/a?b=c:d', { check: 'http', url: 'https://example.org/a?b=c:d' }],
  ['http://example.org/', { check: 'http', url: 'http://example.org/' }],
  ['https://example.org/', { check: 'http', url: 'https://example.org/' }],
  ['certificate:example.org', { check: 'certificate', host: 'example.org' }],
  ['certificate:example.org:8443', { check: 'certificate', host: 'example.org', port: 8443 }],
  ['dns:example.org', { check: 'dns', name: 'example.org' }],
  ['ntp:pool.ntp.org', { check: 'ntp', server: 'pool.ntp.org' }],
])('reads %s, as the contract accepts it', (text, expected) => {
  expect(parseCheck(text)).toEqual(expected);
  expect(HealthCheckItem.safeParse(expected).success).toBe(true);
});

test.each([
  '',
  'disc:/',
  'tcp:host',
  'tcp::53',
  'tcp:host:0',
  'tcp:host:70000',
  'tcp:2001:db8::1:443',
  'service',
  'service:',
  'memory:1',
  'dns',
])('refuses %j and names the accepted forms', (text) => {
  expect(() => parseCheck(text)).toThrow(/tcp:HOST:PORT/);
});

test('any text is read or refused as wrong usage', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        parseCheck(text);
      } catch (error) {
        expect(error).toBeInstanceOf(CliError);
      }
    }),
  );
});
