import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { bounded, createFacts, maxFactsBytes } from './facts.ts';

test('tells what this machine is, within bounds', async () => {
  const facts = createFacts();
  const first = await facts.collect();
  expect(first).toMatchObject({
    hostname: hostname(),
    os: { platform: 'linux' },
    cpu: { count: expect.any(Number) },
    memory: { totalBytes: expect.any(Number) },
    interfaces: expect.any(Array),
  });
  expect(Buffer.byteLength(JSON.stringify(first))).toBeLessThanOrEqual(maxFactsBytes);

  expect(await facts.collect()).toEqual(first);
});

test('a machine with thousands of interfaces tells as many as fit, and how many it left out', () => {
  const interfaces = Array.from({ length: 5000 }, (_, index) => ({
    name: `vlan${index}`,
    addresses: ['10.0.0.1/24'],
  }));
  const told = bounded({ hostname: 'router', interfaces }) as {
    interfaces: unknown[];
    interfacesLeftOut: number;
  };
  expect(Buffer.byteLength(JSON.stringify(told))).toBeLessThanOrEqual(maxFactsBytes);
  expect(told.interfaces.length).toBeGreaterThan(50);
  expect(told.interfaces.length + told.interfacesLeftOut).toBe(5000);
});
