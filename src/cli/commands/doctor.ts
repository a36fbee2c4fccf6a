import type { Command } from 'commander';
import { StatusError } from '#base/errors.ts';
import type { Cli } from '../cli.ts';
import { readConfig } from '../context.ts';
import type { Finding } from '../doctor/finding.ts';
import { examine } from '../doctor/look.ts';
import { EXIT } from '../exit-codes.ts';
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
Looks at processes, cgroups, mounts, links, nftables, files and images itself; works with and without a daemon.
Prints nothing on standard output and exits with 0 when nothing is left; other instances are left alone.`;

async function doctor(cli: Cli, fix: boolean): Promise<number> {
	const { config } = await readConfig(cli.options);
	const { findings, failures } = await examine({ config, daemonRuns: await daemonRuns(cli), fix });
	const code = (fix ? failures.length : findings.length) === 0 ? EXIT.ok : EXIT.failure;
	if (cli.options.json) {
		const shown = findings.map(({ removal: _removal, ...finding }) => ({
			instance: config.instance,
			...finding,
		}));
		cli.io.out(json({ instance: config.instance, findings: shown, fixed: fix, failures }));
		return code;
	}
	if (findings.length === 0)
		cli.io.err(`gantry doctor: nothing is left of instance ${config.instance} that no record owns\n`);
	else cli.io.out(report(findings));
	for (const failure of failures) cli.io.err(`gantry doctor: ${failure}\n`);
	if (findings.length > 0)
		cli.io.err(
			fix
				? `gantry doctor: removed ${findings.length - failures.length} of ${findings.length}\n`
				: 'gantry doctor: "gantry doctor --fix" removes all of this\n',
		);
	return code;
}

function report(findings: readonly Finding[]): string {
	return findings
		.map(
			(finding) => `${finding.kind} ${finding.name}\n    ${reason(finding)}\n    remedy: ${finding.remedy}\n`,
		)
		.join('');
}

function reason({ why, owner, sinceMs }: Finding): string {
	const of = owner === '' || why.includes(owner) ? [] : [`of ${owner}`];
	const since = sinceMs === undefined ? [] : [`since ${new Date(sinceMs).toISOString().slice(0, 19)}Z`];
	return [why, ...of, ...since].join(', ');
}

async function daemonRuns(cli: Cli): Promise<boolean> {
	try {
		await cli.call('Version', {}, { timeoutMs: 5000 });
		return true;
	} catch (error) {
		if (error instanceof StatusError && error.condition === 'UNAVAILABLE') return false;
		// It listens but does not answer: its things are not ours to take.
		return true;
	}
}
