import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StatusError } from '#base/errors.ts';
import { loadConfig } from '../config/load.ts';
import { checkRequirements, type Machine } from './requirements.ts';

const good: Machine = {
	uid: 0,
	kernelRelease: '6.1.0-18-amd64',
	exists: () => true,
	isExecutable: () => true,
	read: (path) => (path === '/proc/filesystems' ? 'nodev\tsysfs\nnodev\toverlay\n' : ''),
};
const config = loadConfig({ set: ['network.provider=builtin', 'runtime.native_folder=/native'] }).config;

function missingOn(machine: Partial<Machine>): string {
	try {
		checkRequirements(config, { ...good, ...machine });
	} catch (error) {
		assert.ok(error instanceof StatusError);
		assert.equal(error.condition, 'FAILED_PRECONDITION');
		return error.message;
	}
	return '';
}

describe('checkRequirements', () => {
	it('is content with a machine that has everything', () => assert.equal(missingOn({}), ''));

	it('wants root', () => assert.match(missingOn({ uid: 1000 }), /run by root, not by uid 1000/));

	it('wants Linux 5.15', () => {
		assert.equal(missingOn({ kernelRelease: '5.15.0' }), '');
		assert.match(missingOn({ kernelRelease: '5.10.0-28' }), /5\.15 or newer is needed; this is 5\.10\.0-28/);
		assert.match(missingOn({ kernelRelease: '4.19.0' }), /5\.15 or newer/);
	});

	it('wants overlay: registered, or a module that can be loaded', () => {
		const modules = (dep: string) => (path: string) => (path.endsWith('modules.dep') ? dep : '');
		const exists = (path: string) => !path.startsWith('/sys/module');
		const network = 'kernel/net/nf_tables.ko:\nkernel/net/bridge.ko:\nkernel/drivers/veth.ko.zst:\n';
		assert.match(missingOn({ exists, read: modules(network) }), /modprobe overlay/);
		assert.equal(missingOn({ exists, read: modules(`kernel/fs/overlayfs/overlay.ko.xz:\n${network}`) }), '');
	});

	it('wants system call filters', () => {
		assert.match(missingOn({ exists: (path) => !path.includes('seccomp') }), /CONFIG_SECCOMP_FILTER/);
	});

	it('wants the default profile of system calls', () => {
		const exists = (path: string) => path !== config.runtime.seccompProfile;
		assert.match(missingOn({ exists }), /seccomp\.json is missing: mend runtime\.seccomp_profile/);
	});

	it('wants nftables, bridges and veth pairs for the built-in network', () => {
		const read = (path: string) => (path === '/proc/filesystems' ? 'nodev\toverlay' : 'kernel/fs/ext4.ko:');
		const text = missingOn({ exists: (path) => !path.startsWith('/sys/module'), read });
		for (const name of ['nf_tables', 'bridge', 'veth']) assert.match(text, new RegExp(`modprobe ${name}`));
	});

	it('names the namespaces that are missing', () => {
		assert.match(missingOn({ exists: (path) => !path.endsWith('/pid') }), /no pid namespaces/);
	});

	it('tells how to build programs that are missing', () => {
		const text = missingOn({ isExecutable: (path) => path !== '/native/pause' });
		assert.match(text, /^pause not found in \/native: run make -C runtime\/native/m);
	});
});
