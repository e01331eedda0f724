import { expect, test } from 'vitest';
import { RoundTrips } from './round-trips.ts';

test('the path is as long as the shortest round trip, however long others waited in buffers', () => {
  const trips = new RoundTrips();
  expect(trips.pathMs).toBe(0);
  for (const ms of [12, 10, 300, 45]) trips.add(ms);
  expect(trips.pathMs).toBe(10);
});

test('a path that has become longer is believed after a while', () => {
  const trips = new RoundTrips();
  trips.add(10);
  for (let count = 0; count < 7; count += 1) trips.add(90);
  expect(trips.pathMs).toBe(10);
  trips.add(95);
  expect(trips.pathMs).toBe(90);
});
