import { z } from 'zod';

/** A pattern over absolute paths: `*` within one name, no `**`, no `..`. */
const Glob = z
  .string()
  .regex(/^\/[^\0\n\t]*$/, 'expected an absolute path')
  .refine((text) => !text.split('/').includes('..'), 'expected a path without ..')
  .refine((text) => !text.includes('**'), 'expected * within one name only');

/** A regular expression (JavaScript), flags `m` and `u` are given. */
const Pattern = z.string().max(2000).refine(isPattern, 'expected a regular expression');

const Argv = z
  .array(
    z
      .string()
      .min(1)
      .max(4096)
      .regex(/^[^\n\0]*$/),
  )
  .min(1)
  .max(64);

/** Files that match, one by one (`{each}`: the name without folder and ending), or the sections that begin with a line of which group 1 is `{each}`. */
export const ForEach = z.union([
  z.strictObject({ file: Glob }),
  z.strictObject({
    section: Pattern,
    end: Pattern.optional().describe('lines that belong to no section'),
    files: Glob.optional(),
  }),
]);
export type ForEach = z.output<typeof ForEach>;

/** How a text of the unit (its files; with `for_each` the one file or section; with `lines` only lines that match) goes from what was to what will be. */
export const When = z.strictObject({
  files: Glob.optional(),
  lines: Pattern.optional(),
  is: z.array(z.enum(['added', 'changed', 'removed', 'unchanged', 'absent'])).min(1),
});
export type When = z.output<typeof When>;

/**
 * A command of a unit. No shell; it comes from the profile on the device, never from a bundle. `{snapshot}` is the folder of what `keep` saved.
 * It runs when everything of `when` holds; with `for_each` once for each that is added or changed, or as `when` says.
 */
export const UnitCommand = z.strictObject({
  argv: Argv,
  for_each: ForEach.optional(),
  when: z.array(When).max(8).optional(),
  timeout_s: z.number().min(1).max(600).default(30),
  ok_exit_codes: z.array(z.int().min(0).max(255)).default([0]),
  /** Empty folders of its own, outermost first, for a program that must not meet what runs on the host. */
  fresh_folders: z.array(Glob).max(8).optional(),
  /** Skip the command (and say so) when this program is not on the device. */
  if_program: z.string().optional(),
});
export type UnitCommand = z.output<typeof UnitCommand>;

/** A command that must come out as expected: exit codes alone lie for several validators. */
export const Check = UnitCommand.extend({
  id: z.string().regex(/^[a-z][a-z0-9-]*$/),
  expect: z
    .strictObject({
      output: Pattern.optional().describe('regular expression that stdout+stderr must contain'),
      not_output: Pattern.optional().describe('regular expression that stdout+stderr must not contain'),
      /** The same command in the scratch namespace, after the pre-flight commands, must print the same. */
      same_in_scratch: z.boolean().default(false),
      ignore: z
        .array(Pattern)
        .default([])
        .describe('regular expressions cut out before `same_in_scratch` compares'),
    })
    .prefault({}),
  /** Runs once per match; `{each}` and `{2}` stand for its groups. */
  targets: z
    .strictObject({
      argv: Argv.optional().describe(
        'looked for in what this prints, in the same place; else in the files of the unit',
      ),
      match: Pattern,
      addresses: z
        .boolean()
        .default(false)
        .describe(
          '0.0.0.0 and :: mean the addresses of this host; loopback counts only when there is no other',
        ),
      otherwise: z.array(z.string()).default([]).describe('when nothing matches'),
      need: z.enum(['all', 'one']).default('all'),
    })
    .optional(),
  /** Repeated until it holds, for things that need a moment. */
  within_s: z.number().min(0).max(120).default(0),
  /** What this check is known not to see. */
  lies: z.string().optional(),
});
export type Check = z.output<typeof Check>;

/** Checks that need no program of the unit: ours, by name. */
export const BuiltInCheck = z.strictObject({
  id: z.string().regex(/^[a-z][a-z0-9-]*$/),
  built_in: z.enum([
    /** Every address that `pattern` (one capture group) finds in the candidate is an address of this host; before the apply, also one that the candidate gives to it. */
    'addresses_exist',
    /** The same for names of network interfaces. */
    'interfaces_exist',
    /** Text that must be in the candidate: `pattern`. */
    'must_contain',
    'must_not_contain',
    /** Addresses and prefixes that `pattern` captures can be parsed. */
    'addresses_valid',
    /** Every file that `pattern` captures exists in the candidate view. */
    'files_exist',
    /** Each file is a configuration of WireGuard: sections, keys of 32 bytes, addresses, end points. */
    'wireguard_config',
    /** The interfaces have exactly the peers, keys and addresses of their files. */
    'wireguard_running',
    /** `pattern` captures a dhcp-range of dnsmasq: addresses of one family, in order, in a network of this host. */
    'dhcp_ranges',
    /** Somebody can log in: a method, and an account with a shell that AllowUsers, DenyUsers and the like let pass. */
    'ssh_entry',
  ]),
  pattern: Pattern.default(''),
  /** Only these files of the unit. */
  files: Glob.optional(),
  /** Captured text that is not looked at. */
  except: Pattern.optional(),
  /** Lines starting with it are not looked at. */
  comment: z.string().default('#'),
});
export type BuiltInCheck = z.output<typeof BuiltInCheck>;
const AnyCheck = z.union([BuiltInCheck, Check]);
export type AnyCheck = z.output<typeof AnyCheck>;

/** One rule of cutting or hiding, line by line. `match` is a regular expression; for secrets its group `secret` (or group 1, or all) is replaced. */
export const TextRule = z.strictObject({
  id: z.string().regex(/^[a-z][a-z0-9-]*$/),
  match: Pattern,
  replace: z.enum(['drop_line', 'mask', 'token']).describe('token: <secret:8 hex of a keyed digest>'),
  note: z.string().default(''),
});
export type TextRule = z.output<typeof TextRule>;

export const ManagedPath = z.strictObject({
  glob: Glob,
  owner: z.string().default('root'),
  group: z.string().default('root'),
  mode: z
    .string()
    .regex(/^0[0-7]{3}$/)
    .default('0644')
    .describe('highest mode that a bundle may ask for, and the default'),
  max_bytes: z.int().min(1).default(1_048_576),
  secret: z.boolean().default(false).describe('the whole content is a secret: never in a view'),
});
export type ManagedPath = z.output<typeof ManagedPath>;

const KeptName = z.string().regex(/^[a-z0-9][a-z0-9.-]{0,63}$/);

/** One thing that is configured as a whole: its files, how they are checked, and how its service reads them. */
export const Unit = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/),
  summary: z.string(),
  paths: z.array(ManagedPath).min(1),
  max_files: z.int().min(1).max(10_000).default(256),
  /** What its files give to the host: other units may listen on it. Patterns with one group. */
  gives: z
    .strictObject({
      addresses: Pattern.optional().describe('with or without a prefix length'),
      interfaces: Pattern.optional(),
      interface_files: Glob.optional().describe('each file is an interface of its name'),
    })
    .prefault({}),
  /** In the candidate view, before anything is touched. */
  validate: z.array(AnyCheck).default([]),
  /** In the scratch namespace: loads the candidate; then a new connection to the controller must work. */
  preflight: z.array(UnitCommand).default([]),
  /** On the host: kept in the snapshot, with `prefix` before its output. */
  keep: z
    .array(
      z.union([
        z.strictObject({
          name: KeptName,
          prefix: z.string().default(''),
          command: UnitCommand,
          /** Must succeed before anything is touched: shows that what was kept can be restored. */
          check: UnitCommand.optional(),
        }),
        /** The unit's own files, as they were or will be, one after the other. */
        z.strictObject({
          name: KeptName,
          text_of: z.enum(['before', 'after']),
          without: Pattern.optional().describe('lines that are left out'),
        }),
      ]),
    )
    .default([]),
  /** On the host, after the files are in place. */
  apply: z.array(UnitCommand).default([]),
  /** On the host, after the files are back; `when` and `for_each` see the way back. Empty: the commands of `apply`. */
  restore: z.array(UnitCommand).default([]),
  /** What the service learned while it ran, and gets back after `apply`: elements of sets of nftables that rules put there, or that end by themselves. */
  keep_runtime: z.literal('nftables_elements').optional(),
  verify: z.array(AnyCheck).default([]),
  /** A start from nothing with the candidate, in the candidate view and scratch namespace: what a reload does not show. */
  cold_check: z.array(Check).default([]),
  /** Running state where it can differ from the files; part of the view. */
  running: UnitCommand.optional(),
  /** Checks of `verify` that also tell, at a PULL, whether the running state is that of the files. */
  running_checks: z.array(z.string()).default([]),
  /** What a complete file looks like; else a reading is `suspect`. */
  complete: z
    .strictObject({
      must_end_with: z.string().optional(),
      must_contain: z.string().optional(),
      min_bytes: z.int().default(0),
    })
    .optional(),
  volatile: z.array(TextRule).default([]),
  secrets: z.array(TextRule).default([]),
  /** Text that looks like a secret and is none, such as public keys. */
  public: z.array(Pattern).default([]),
  /** The window to confirm is at least this long when this unit changes. */
  confirm_s: z.int().min(30).max(3600).optional(),
});
export type Unit = z.output<typeof Unit>;

/** What may be managed on a kind of device and how it is checked. The copy on the device decides. */
export const DeviceProfile = z.strictObject({
  id: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/),
  rev: z.int().min(1),
  summary: z.string(),
  platform: z.enum(['linux', 'vyos', 'opnsense']),
  /** `documents`: written from the vendor's documents and never run. */
  tried: z.enum(['run', 'documents']),
  /** Apply order; rollback is the reverse. */
  units: z.array(Unit).min(1),
  confirm_s: z.int().min(30).max(3600).default(120),
  probe: z
    .strictObject({
      every_s: z.number().min(0.2).max(60).default(3),
      need: z.int().min(1).max(20).default(3),
      over_s: z.number().min(0).max(600).default(15),
    })
    .prefault({}),
  /** A unit whose view lost more than this share of its bytes since the last PULL is `suspect`. */
  drop_guard_percent: z.number().min(1).max(100).default(50),
});
export type DeviceProfile = z.output<typeof DeviceProfile>;

/** Version of the rules that make a view; goes with each snapshot. */
export const rulesetOf = (profile: Pick<DeviceProfile, 'id' | 'rev'>): string =>
  `${profile.id}-${profile.rev}`;

function isPattern(text: string): boolean {
  try {
    new RegExp(text, 'mu');
    return true;
  } catch {
    return false;
  }
}
