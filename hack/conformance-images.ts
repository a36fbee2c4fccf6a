/**
 * Builds the images that critest names, pushes them to a registry on loopback, and writes the mirrors that lead
 * there: node hack/conformance-images.ts 127.0.0.1:PORT REGISTRIES_CONF
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ImageSource, registryAt } from '../test/support/registry.ts';
import { buildBusybox } from './images/busybox-build.ts';
import { busyboxLayer, fileLayer } from './images/layers.ts';
import { compile, withLibraries, withPackages } from './images/programs.ts';

const [registry, registriesConf] = process.argv.slice(2);
if (registry === undefined || registriesConf === undefined)
	throw new Error('usage: conformance-images.ts HOST:PORT REGISTRIES_CONF');

const CACHE = fileURLToPath(new URL('../node_modules/.cache/conformance/busybox', import.meta.url));
const MIRRORED = ['registry.k8s.io', 'k8s.gcr.io', 'gcr.io', 'docker.io'];
const TESTS = 'gcr.io/k8s-staging-cri-tools';
const E2E = 'registry.k8s.io/e2e-test-images';
type Content = Pick<ImageSource, 'layers' | 'config'>;

const PATH = ['PATH=/bin:/sbin:/usr/bin:/usr/sbin'];
const ARCHITECTURE = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** Prints the user id that it runs with; set-uid root in its image. */
const EFFECTIVE_UID =
	'#include <stdio.h>\n#include <unistd.h>\nint main(void) { printf("Effective uid: %d\\n", (int)geteuid()); return 0; }\n';
const USERS = {
	'etc/passwd':
		'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/:/bin/false\ndefault-user:x:1000:1000::/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
	'etc/group':
		'root:x:0:\nusers:x:100:\nwww-data:x:33:\ndefault-user:x:1000:\ngroup-defined-in-image:x:50000:default-user\nnogroup:x:65534:\n',
};

const nginxConf = (port: number) => `user root;
daemon off;
pid /var/run/nginx.pid;
error_log /dev/stderr;
events {}
http {
	access_log /dev/stdout;
	server {
		listen ${port};
		listen [::]:${port};
		root /usr/share/nginx/html;
	}
}
`;

const busybox = busyboxLayer(buildBusybox(CACHE));
const nginx = withPackages(['nginx'], (folder) =>
	fileLayer(withLibraries('usr/sbin/nginx', join(folder, 'usr/sbin/nginx')), 0o755),
);

const shell: Content = { layers: [busybox], config: { Cmd: ['sh'], Env: PATH } };
const small = (name: string, config: Record<string, unknown> = {}): Content => ({
	layers: [busybox, fileLayer({ [name]: `${name}\n` })],
	config: { Cmd: ['sh'], Env: PATH, ...config },
});
const webServer = (port: number): Content => ({
	layers: [
		busybox,
		nginx,
		fileLayer({
			'etc/nginx/nginx.conf': nginxConf(port),
			'usr/share/nginx/html/index.html': 'nginx\n',
			'var/lib/nginx/.keep': '',
			'var/log/nginx/.keep': '',
			'var/run/.keep': '',
		}),
	],
	config: {
		Cmd: ['/usr/sbin/nginx', '-c', '/etc/nginx/nginx.conf'],
		Env: PATH,
		ExposedPorts: { [`${port}/tcp`]: {} },
	},
});
const HTTPD = 'echo "httpd: serving on port 80"; exec httpd -f -p 80 -h /www';

const images: Readonly<Record<string, Content>> = {
	[`${E2E}/busybox:1.29-2`]: shell,
	[`${E2E}/nginx:1.14-2`]: webServer(80),
	[`${E2E}/httpd:2.4.39-4`]: {
		layers: [busybox, fileLayer({ 'www/index.html': 'httpd\n' })],
		config: { Cmd: ['sh', '-c', HTTPD], Env: PATH },
	},
	[`${E2E}/nonewprivs:1.3`]: {
		layers: [fileLayer({ nnp: compile(EFFECTIVE_UID) }, 0o4755)],
		config: { Entrypoint: ['/nnp'] },
	},
	'registry.k8s.io/pause:3.9': small('pause', { Cmd: ['sleep', 'infinity'] }),
	'k8s.gcr.io/pause:3.9': small('pause', { Cmd: ['sleep', 'infinity'] }),
	[`${TESTS}/hostnet-nginx-${ARCHITECTURE}:latest`]: webServer(12003),
	[`${TESTS}/test-image-latest:latest`]: small('test-image-latest'),
	[`${TESTS}/test-image-tag:test`]: small('test-image-tag'),
	[`${TESTS}/test-image-tag:all`]: small('test-image-tag-all'),
	// critest wants one certain digest, which only the original bytes have: that spec cannot pass here.
	[`${TESTS}/test-image-digest:latest`]: small('test-image-digest'),
	...Object.fromEntries(
		[1, 2, 3].map((number) => [`${TESTS}/test-image-${number}:latest`, small(`test-image-${number}`)]),
	),
	...Object.fromEntries(
		[1, 2, 3].map((tag) => [`${TESTS}/test-image-tags:${tag}`, small('test-image-tags')]),
	),
	[`${TESTS}/test-image-user-uid:latest`]: small('user-uid', { User: '1002' }),
	[`${TESTS}/test-image-user-username:latest`]: small('user-username', { User: 'www-data' }),
	[`${TESTS}/test-image-user-uid-group:latest`]: small('user-uid-group', { User: '1003:100' }),
	[`${TESTS}/test-image-user-username-group:latest`]: small('user-username-group', {
		User: 'www-data:www-data',
	}),
	[`${TESTS}/test-image-predefined-group:latest`]: {
		layers: [busybox, fileLayer(USERS)],
		config: { Cmd: ['sh'], Env: PATH, User: '1000' },
	},
	'docker.io/library/busybox:1': shell,
	'docker.io/library/busybox:latest': shell,
};

const pusher = registryAt(registry);
for (const [reference, content] of Object.entries(images)) {
	const [, name = '', tag = 'latest'] = /^(.+?)(?::([^:]+))?$/.exec(reference) ?? [];
	await pusher.pushImage({ ...content, name, tag });
}
const mirrors = MIRRORED.map(
	(host) =>
		`[[registry]]\nprefix = "${host}"\nlocation = "${host}"\n[[registry.mirror]]\nlocation = "${registry}/${host}"\ninsecure = true\n`,
);
writeFileSync(registriesConf, mirrors.join('\n'));
console.log(`${Object.keys(images).length} images at ${registry}, mirrors in ${registriesConf}`);
