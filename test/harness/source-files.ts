import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import ts from 'typescript';

export const projectRoot = join(import.meta.dirname, '..', '..');

/** Not written by us, or not committed. */
const ignored = new Set(['node_modules', '.git', '.muster', 'coverage', 'out']);

export interface SourceFile {
  /** From the root of the project, with forward slashes. */
  path: string;
  text: string;
}

/** Every text file of the project, ordered by path. */
export function projectFiles(folder = projectRoot): SourceFile[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !ignored.has(entry.name))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return projectFiles(path);
      if (!entry.isFile()) return [];
      return [{ path: relative(projectRoot, path).split(sep).join('/'), text: readFileSync(path, 'utf8') }];
    });
}

export const isCode = ({ path }: SourceFile): boolean => /\.(ts|js|mjs)$/.test(path);
export const isTest = ({ path }: SourceFile): boolean =>
  path.endsWith('.test.ts') || path.startsWith('test/');

export const parseSource = ({ path, text }: SourceFile): ts.SourceFile =>
  ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);

/** What a file imports or re-exports, also dynamically and for types only, as it is written. */
export const importsOf = ({ text }: SourceFile): string[] =>
  ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);

/** What a file loads when it is loaded itself: neither types only, nor what is imported later, on demand. */
export const loadedBy = (file: SourceFile): string[] =>
  parseSource(file).statements.flatMap((statement) => {
    const loads =
      (ts.isImportDeclaration(statement) &&
        statement.importClause?.phaseModifier !== ts.SyntaxKind.TypeKeyword) ||
      (ts.isExportDeclaration(statement) && !statement.isTypeOnly);
    if (!loads || !statement.moduleSpecifier || !ts.isStringLiteral(statement.moduleSpecifier)) return [];
    return [statement.moduleSpecifier.text];
  });
