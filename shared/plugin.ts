import { z } from 'zod';
import { PluginName, ReleaseVersion } from './release.ts';
import type { PluginTaskType } from './task-types/task-type.ts';

const TypeName = z
  .string()
  .regex(/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/, 'expected the name of a task type, as TRACEROUTE')
  .max(31); // with the longest name of a plugin it is as long as a device may say

/** `NETDIAG.TRACEROUTE`: type TRACEROUTE of plugin `netdiag`. */
export const PluginTaskTypeName = z
  .templateLiteral([z.string().regex(/[A-Z][A-Z0-9_]{0,31}/), '.', z.string().regex(/[A-Z][A-Z0-9_]{0,31}/)])
  .describe('PLUGIN.TYPE, of a plugin');

/** A JSON Schema (draft 2020-12) of an object. */
const ObjectSchema = z.looseObject({ type: z.literal('object') });

/** One of these names, or of a task type that a plugin adds. */
export const orOfPlugin = <const Name extends string>(names: readonly Name[]) =>
  z.union(
    [z.enum(names), PluginTaskTypeName],
    `expected one of ${names.join(', ')}, or PLUGIN.TYPE of a plugin`,
  );

export const PluginTaskTypeDefinition = z.strictObject({
  summary: z.string().min(1).max(200).describe('one sentence for help texts'),
  parameters: ObjectSchema.describe('JSON Schema of the parameters'),
  result: ObjectSchema.optional().describe('JSON Schema of the result; any object when absent'),
  timeout_seconds: z.int().min(1).max(86_400).default(600).describe('default bound on execution'),
  idempotent: z.boolean().default(false).describe('may run again after a crash in the middle'),
});
export type PluginTaskTypeDefinition = z.output<typeof PluginTaskTypeDefinition>;

/** A larger manifest is refused: bytes. */
export const maxPluginManifestBytes = 64 * 1024;

/** `plugin.json`, the first file of a plugin's archive: what it adds, and within which limits it runs. */
export const PluginManifest = z.strictObject({
  name: PluginName,
  version: ReleaseVersion,
  summary: z.string().min(1).max(200),
  program: z
    .string()
    .regex(
      /^[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$/,
      'expected a path inside of the archive',
    )
    .max(200)
    .describe('executable that speaks JSON lines'),
  runtime: z
    .literal('node')
    .optional()
    .describe('the program is JavaScript, for the Node.js of the agent; it needs 1536 MB of address space'),
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'expected a user name')
    .default('muster-plugin')
    .describe('of the device, to run as'),
  limits: z
    .strictObject({
      memory_mb: z.int().min(16).max(65_536).default(512).describe('address space of each process'),
      processes: z.int().min(1).max(4096).default(64).describe('and threads, of the user while it runs'),
      open_files: z.int().min(16).max(65_536).default(256),
      file_mb: z
        .int()
        .min(1)
        .max(65_536)
        .default(64)
        .describe('largest file it may write; its own folder holds as much in all'),
      cpu_seconds: z.int().min(1).max(86_400).default(600).describe('processor time of each process'),
    })
    .prefault({}),
  task_types: z
    .record(TypeName, PluginTaskTypeDefinition)
    .refine((types) => Object.keys(types).length <= 32, 'expected at most 32 task types')
    .refine((types) => Object.keys(types).length > 0, 'expected at least one task type'),
});
export type PluginManifest = z.output<typeof PluginManifest>;

/** How the rest of the system calls a task type of a plugin. */
export const taskTypeOf = (plugin: string, type: string): PluginTaskType =>
  `${plugin.toUpperCase().replaceAll('-', '_')}.${type}`;

/** The plugin of a task type, and the type as its manifest has it. */
export function partsOfTaskType(name: PluginTaskType): { plugin: string; type: string } {
  const at = name.indexOf('.');
  return { plugin: name.slice(0, at).toLowerCase().replaceAll('_', '-'), type: name.slice(at + 1) };
}

/** Undefined for a type that the plugin does not add. */
export const definitionOf = (
  { task_types: types }: PluginManifest,
  type: string,
): PluginTaskTypeDefinition | undefined => (Object.hasOwn(types, type) ? types[type] : undefined);
