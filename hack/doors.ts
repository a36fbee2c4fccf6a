/** The rules of who may import whom (ARCHITECTURE.md, "Rooms"), as a pure function over sources. */
import { posix } from 'node:path';

/** Path from the repository's root to source text. */
export type Sources = ReadonlyMap<string, string>;

interface Import {
	readonly specifier: string;
	readonly typeOnly: boolean;
}

const ROOMS = ['cri-api', 'src', 'runtime', 'images'] as const;
type Room = (typeof ROOMS)[number];

/** The doors that each room may go through; `#base` is open to all but the contract. */
const MAY_IMPORT: Readonly<Record<Room, readonly string[]>> = {
	'cri-api': [],
	src: ['#base', '#cri-api', '#runtime', '#images'],
	runtime: ['#base'],
	images: ['#base'],
};
const DOORS: Readonly<Record<string, string>> = {
	'#cri-api': 'cri-api/index.ts',
	'#runtime': 'runtime/index.ts',
	'#images': 'images/index.ts',
};

/** Packages that only some files may import, and why. */
const FENCES: readonly {
	readonly packages: RegExp;
	readonly allowed: RegExp;
	readonly why: string;
	/** Types may be imported anywhere. */
	readonly valuesOnly?: boolean;
}[] = [
	{
		packages: /^@grpc\//,
		allowed: /^(src\/server\/grpc-[^/]*\.ts|cri-api\/.*\.test\.ts)$/,
		why: 'only src/server/grpc-*.ts speaks gRPC',
	},
	{
		packages: /^node:child_process$/,
		allowed: /^runtime\/launcher\/process\.ts$/,
		why: 'only the module that starts the launcher starts a process',
	},
	{
		packages: /^ws$/,
		allowed: /^src\/(streaming\/websocket\/accept|cli\/streams\/web-socket)\.ts$/,
		why: 'only src/streaming/websocket/accept.ts and src/cli/streams/web-socket.ts know ws',
	},
	{
		packages: /^node:http$/,
		allowed: /^$/,
		why: 'its import statement loads all of fetch: take what you need from #base/http.ts',
		valuesOnly: true,
	},
	{ packages: /^@kubernetes\//, allowed: /^src\/cli\//, why: 'only the CLI pays for the Kubernetes client' },
];

const IMPORT = /^\s*(?:import|export)\s+(type\s+)?(?:[^'"();]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;
const DYNAMIC = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

function importsOf(source: string): Import[] {
	const text = source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
	const fixed = [...text.matchAll(IMPORT)].map((match) => ({
		specifier: match[2] ?? '',
		typeOnly: match[1] !== undefined,
	}));
	return [
		...fixed,
		...[...text.matchAll(DYNAMIC)].map((match) => ({ specifier: match[1] ?? '', typeOnly: true })),
	];
}

function roomOf(path: string): Room | undefined {
	return ROOMS.find((room) => path.startsWith(`${room}/`));
}

/** The file of ours that a specifier names, or undefined for a package. */
function resolve(from: string, specifier: string): string | undefined {
	if (specifier.startsWith('.')) return posix.normalize(posix.join(posix.dirname(from), specifier));
	if (specifier.startsWith('#base/')) return `src/base/${specifier.slice('#base/'.length)}`;
	return DOORS[specifier];
}

function checkImport(path: string, room: Room, { specifier, typeOnly }: Import): string | undefined {
	const fence = FENCES.find(({ packages }) => packages.test(specifier));
	const isTest = path.endsWith('.test.ts');
	const isFree = isTest || (typeOnly && fence?.valuesOnly === true);
	if (fence && !fence.allowed.test(path) && !isFree) return `${path}: imports ${specifier}: ${fence.why}`;
	if (
		path.startsWith('src/base/') &&
		!isTest &&
		!specifier.startsWith('node:') &&
		!specifier.startsWith('./')
	)
		return `${path}: imports ${specifier}: src/base is a leaf`;
	if (specifier.startsWith('#')) {
		const door = specifier.startsWith('#base/') ? '#base' : specifier;
		return MAY_IMPORT[room].includes(door) ? undefined : `${path}: ${room} may not import ${specifier}`;
	}
	if (!specifier.startsWith('.')) return undefined;
	const target = resolve(path, specifier);
	if (target === undefined || target === 'package.json' || target.startsWith(`${room}/`)) return undefined;
	if (isTest && target.startsWith('test/support/')) return undefined;
	return `${path}: leaves its room by ${specifier}: go through a door (#base, #runtime, #images, #cri-api)`;
}

/** Every cycle of value imports, once, as `a.ts → b.ts → a.ts`. */
function cycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
	const found = new Set<string>();
	const done = new Set<string>();
	const path: string[] = [];
	const visit = (file: string): void => {
		const at = path.indexOf(file);
		if (at >= 0) {
			found.add([...path.slice(at), file].join(' → '));
			return;
		}
		if (done.has(file)) return;
		path.push(file);
		for (const next of graph.get(file) ?? []) visit(next);
		path.pop();
		done.add(file);
	};
	for (const file of graph.keys()) visit(file);
	return [...found].map((cycle) => `import cycle: ${cycle}`);
}

/** Every breach of the rules, as sentences; empty when all is well. */
export function checkDoors(sources: Sources): string[] {
	const breaches: string[] = [];
	const graph = new Map<string, string[]>();
	for (const [path, source] of sources) {
		const room = roomOf(path);
		if (room === undefined) continue;
		const imports = importsOf(source);
		for (const one of imports) {
			const breach = checkImport(path, room, one);
			if (breach !== undefined) breaches.push(breach);
		}
		const targets = imports
			.filter(({ typeOnly }) => !typeOnly)
			.map(({ specifier }) => resolve(path, specifier));
		graph.set(path, targets.filter((target) => target !== undefined && sources.has(target)) as string[]);
	}
	return [...breaches, ...cycles(graph)];
}
