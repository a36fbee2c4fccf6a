import type { Command } from 'commander';
import { permissionDenied, StatusError } from '#base/errors.ts';
import { EXIT } from '../../exit-codes.ts';
import { refuseNewerData } from '../../startup/data-version.ts';
import { folderWarning } from '../../startup/folders.ts';
import type { Cli } from '../cli.ts';
import { configOfDaemon, readConfig } from '../context.ts';
import { daemonHolds } from '../doctor/daemon-runs.ts';
import { type Examination, examine, type ToldFinding } from '../doctor/look.ts';
import { refuseHalfOfADaemon, refuseOtherDaemon } from '../doctor/one-daemon.ts';
import type { RemoveByDaemon } from '../doctor/repair.ts';
import { json } from '../output/json.ts';
import type { Act } from '../program.ts';

export function addDoctor(program: Command, act: Act): void {
	program
		.command('doctor')
		.description('everything of this instance on the machine that no record owns')
		.option('--fix', 'remove it')
		.addHelpText('after', NOTES)
		.action(act<{ fix?: boolean }>(async (cli, _args, options) => await doctor(cli, options.fix ?? false)));
}

const NOTES = `
Looks at processes, cgroups, mounts, links, nftables, files and images itself; works with and without a daemon, and
leaves other instances alone. While a daemon runs, files younger than a minute are taken to be in the making, and of
the image store only the leases are looked at. With --fix and without a daemon, none can start until it is done.

Give it what the daemon was given: --config, or --root, --state and --set instance=NAME. What other folders own looks
left behind; while the daemon runs, doctor sees that and refuses. For one that is stopped it cannot.

Exit codes: 0 nothing is left (nothing was found, or --fix has removed it all); 1 something is left, or doctor
refuses; 2 the command line is wrong; 78 the configuration is, or the data is a newer daemon's.`;

async function doctor(cli: Cli, fix: boolean): Promise<number> {
	if (process.geteuid?.() !== 0)
		throw permissionDenied('gantry doctor looks at the whole machine: run the command as root');
	const { config } = await readConfig(cli.options);
	await refuseHalfOfADaemon(config);
	const isAnswered = await answers(cli);
	if (isAnswered) {
		const told = await configOfDaemon(cli).catch(() => undefined);
		await refuseOtherDaemon(config, told ?? {}, config.listen);
	}
	await refuseNewerData(config);
	const daemonRuns = isAnswered || (await daemonHolds(config));
	const note = await folderWarning(config);
	const examination = await examine({ config, daemonRuns, fix, removeByDaemon: removeBy(cli) });
	const { findings, failures } = examination;
	if (cli.options.json)
		cli.io.out(json({ ...asJson(config.instance, fix, examination), note: note ?? null }));
	else {
		tell(cli, config.instance, fix, examination);
		if (note !== undefined) cli.io.err(`gantry doctor: note: ${note}\n`);
	}
	return (fix ? failures : findings).length === 0 ? EXIT.ok : EXIT.failure;
}

function asJson(instance: string, fixed: boolean, { findings, failures }: Examination) {
	const shown = findings.map(({ kind, name, owner, ownerName, sinceMs, why, fix, remedy }) => ({
		...{ instance, kind, name, owner, ownerName },
		since: sinceMs === undefined ? null : time(sinceMs),
		...{ why, fix, remedy },
	}));
	return { instance, findings: shown, fixed, failures };
}

function tell({ io }: Cli, instance: string, fix: boolean, { findings, failures }: Examination): void {
	if (findings.length === 0) {
		io.err(`gantry doctor: nothing is left of instance ${instance} that no record owns\n`);
		return;
	}
	io.out(findings.map((finding) => paragraph(instance, finding)).join(''));
	for (const failure of failures) io.err(`gantry doctor: ${failure}\n`);
	if (!fix)
		io.err(`gantry doctor: ${findings.length} found; "gantry doctor --fix" does what is told of it above\n`);
	else if (failures.length === 0) io.err(`gantry doctor: all ${findings.length} are gone\n`);
}

function paragraph(
	instance: string,
	{ kind, name, owner, ownerName, sinceMs, why, fix, remedy }: ToldFinding,
): string {
	const whose = [`instance ${instance}`, ownerName, owner.slice(0, 20)].filter((part) => part !== '');
	const lines = [
		['of', whose.join(', ')],
		['since', sinceMs === undefined ? 'the machine does not tell' : time(sinceMs)],
		['why', why],
		['--fix', fix],
		['or', remedy],
	];
	return `${kind} ${name}\n${lines.map(([label = '', text]) => `    ${`${label}:`.padEnd(6)} ${text}\n`).join('')}`;
}

const time = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

async function answers(cli: Cli): Promise<boolean> {
	try {
		await cli.call('Version', {}, { timeoutMs: 5000 });
		return true;
	} catch (error) {
		if (error instanceof StatusError && error.condition === 'UNAVAILABLE') return false;
		// It listens but does not answer: its things are not ours to take.
		return true;
	}
}

function removeBy(cli: Cli): RemoveByDaemon {
	return async (object, id) => {
		if (object === 'sandbox') await cli.call('RemovePodSandbox', { pod_sandbox_id: id });
		else await cli.call('RemoveContainer', { container_id: id });
	};
}
