import { expect, test } from 'vitest';
import { cookieForHere, requestHeaders, responseHeaders } from './web-headers.ts';

const addresses = { local: 'http://fw-1.localhost:41234', upstream: 'https://127.0.0.1:8443' };

test('the device is asked under its own name, and hop-by-hop headers stay here', () => {
  expect(
    requestHeaders(
      {
        host: 'fw-1.localhost:41234',
        origin: 'http://fw-1.localhost:41234',
        referer: 'http://fw-1.localhost:41234/a?b',
        connection: 'keep-alive, x-own',
        'x-own': '1',
        'keep-alive': '5',
        cookie: 'a=1',
      },
      addresses,
    ),
  ).toEqual({
    host: '127.0.0.1:8443',
    origin: 'https://127.0.0.1:8443',
    referer: 'https://127.0.0.1:8443/a?b',
    cookie: 'a=1',
  });
});

test('an origin elsewhere is not made the device’s own', () => {
  expect(requestHeaders({ origin: 'http://evil.example' }, addresses)['origin']).toBe('http://evil.example');
});

test.each([
  ['https://127.0.0.1:8443/home#x', 'http://fw-1.localhost:41234/home#x'],
  ['/home', '/home'],
  ['https://elsewhere.example/', 'https://elsewhere.example/'],
  ['not a url', 'not a url'],
])('a redirect to %s leads to %s', (location, here) => {
  expect(responseHeaders({ location }, addresses)['location']).toBe(here);
});

test.each([
  [
    'sid=1; Path=/; Secure; HttpOnly; Domain=127.0.0.1; SameSite=None',
    'sid=1; Path=/; HttpOnly; SameSite=Lax',
  ],
  ['secure=domain; path=/', 'secure=domain; path=/'],
])('the cookie %s becomes %s', (cookie, here) => {
  expect(cookieForHere(cookie)).toBe(here);
});
