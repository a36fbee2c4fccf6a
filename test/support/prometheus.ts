/** Debian's Prometheus, which scrapes one target on loopback several times a second. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Series {
	readonly metric: Readonly<Record<string, string>>;
	readonly value: number;
}

export interface Rule {
	readonly name: string;
	readonly query: string;
	readonly health: string;
	readonly lastError?: string;
}

export interface Prometheus extends AsyncDisposable {
	/** An instant query; fails with what Prometheus says of it. */
	query(expression: string): Promise<readonly Series[]>;
	rules(): Promise<readonly Rule[]>;
	/** Why the last scrape failed; '' when it did not, undefined before the first. */
	scrapeError(): Promise<string | undefined>;
}

export const hasPrometheus = ['prometheus', 'promtool'].every(
	(program) => spawnSync(program, ['--version']).status === 0,
);

/** `target`: `127.0.0.1:9090`. `rules`: path of a file. */
export async function startPrometheus(target: string, rules: string): Promise<Prometheus> {
	const folder = mkdtempSync(join(tmpdir(), 'gantry-prometheus-'));
	const config = join(folder, 'prometheus.yml');
	writeFileSync(
		config,
		JSON.stringify({
			global: { scrape_interval: '250ms', scrape_timeout: '250ms', evaluation_interval: '250ms' },
			rule_files: [rules],
			scrape_configs: [{ job_name: 'gantry', static_configs: [{ targets: [target] }] }],
		}),
	);
	const child = spawn(
		'prometheus',
		[
			`--config.file=${config}`,
			`--storage.tsdb.path=${join(folder, 'data')}`,
			'--web.listen-address=127.0.0.1:0',
		],
		{ stdio: ['ignore', 'ignore', 'pipe'] },
	);
	const ended = once(child, 'exit');
	const stop = async () => {
		child.kill();
		await ended;
		rmSync(folder, { recursive: true, force: true });
	};
	try {
		return { ...api(`http://${await addressOf(child.stderr)}/api/v1`), [Symbol.asyncDispose]: stop };
	} catch (error) {
		await stop();
		throw error;
	}
}

/** Its log says which port it was given, and then that it answers. */
async function addressOf(log: NodeJS.ReadableStream): Promise<string> {
	let address: string | undefined;
	const said: string[] = [];
	const lines = createInterface({ input: log });
	const ready = Promise.withResolvers<string>();
	lines.on('line', (line) => {
		said.push(line);
		address ??= /"Listening on" address=(\S+)/.exec(line)?.[1];
		if (address !== undefined && line.includes('Server is ready')) ready.resolve(address);
	});
	lines.on('close', () => ready.reject(new Error(`prometheus did not start:\n${said.join('\n')}`)));
	return await ready.promise;
}

function api(url: string): Omit<Prometheus, typeof Symbol.asyncDispose> {
	async function ask<T>(path: string): Promise<T> {
		const answer = (await (await fetch(`${url}/${path}`)).json()) as { data: T; error?: string };
		if (answer.error !== undefined) throw new Error(answer.error);
		return answer.data;
	}
	return {
		async query(expression) {
			type Found = { result: { metric: Series['metric']; value: [number, string] }[] };
			const { result } = await ask<Found>(`query?query=${encodeURIComponent(expression)}`);
			return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
		},
		async rules() {
			return (await ask<{ groups: { rules: Rule[] }[] }>('rules')).groups.flatMap((group) => group.rules);
		},
		async scrapeError() {
			type Targets = { activeTargets: { health: string; lastError: string }[] };
			const [found] = (await ask<Targets>('targets')).activeTargets;
			return found?.health === 'unknown' ? undefined : found?.lastError;
		},
	};
}
