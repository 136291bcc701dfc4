package e2e

import (
	"slices"
	"testing"
)

// A client is a program that runs credential helpers, with its command lines. {image} is the image to pull or push,
// {host} its registry, {user} the user name; fixture.commands replaces the other placeholders.
type client struct {
	name string
	// login reads the password from standard input; logout deletes it.
	login, logout string
	// logoutAll deletes all logins that the client knows.
	logoutAll string
	// loginWithoutUser takes user and password from the helper. crane has no such command.
	loginWithoutUser string
	// push makes an image and pushes it, one command a line. The docker CLI can't without a daemon.
	push string
	// pull fetches an image, or for docker its manifest. It asks the registry each time.
	pull string
	// printsStdout reports whether the client's own error quotes the helper's standard output. Otherwise users see
	// the helper's standard error only.
	printsStdout bool
	// storesToken reports whether login stores an identity token instead of the password, if the registry returns one.
	storesToken bool
	// config is the file that names the helper, unless a test sets another one.
	config configFile
}

// A configFile is one of the files that name credential helpers.
type configFile string

const (
	dockerConfig   configFile = "docker-config.json" // credHelpers in ~/.docker/config.json
	credsStore     configFile = "credsStore"         // credsStore in ~/.docker/config.json
	containersAuth configFile = "containers-auth"    // credHelpers in containers-auth.json(5)
	registriesConf configFile = "registries.conf"    // credential-helpers in registries.conf(5)
)

var clients = []client{
	{
		name:             "docker",
		login:            "docker login -u {user} --password-stdin {host}",
		loginWithoutUser: "docker login {host}",
		logout:           "docker logout {host}",
		pull:             "docker manifest inspect {image}",
		storesToken:      true,
		config:           dockerConfig,
	},
	{
		name:             "podman",
		login:            "podman {podman} login {authfile} -u {user} --password-stdin {host}",
		loginWithoutUser: "podman {podman} login {authfile} {host}",
		logout:           "podman {podman} logout {authfile} {host}",
		logoutAll:        "podman {podman} logout {authfile} --all",
		push:             "podman {podman} import -q {work}/layer.tar {image}\npodman {podman} push {image}",
		pull:             "podman {podman} pull {image}",
		printsStdout:     true,
		config:           containersAuth,
	},
	{
		name:             "skopeo",
		login:            "skopeo login {authfile} -u {user} --password-stdin {host}",
		loginWithoutUser: "skopeo login {authfile} {host}",
		logout:           "skopeo logout {authfile} {host}",
		logoutAll:        "skopeo logout {authfile} --all",
		push:             "skopeo copy oci:{work}/layout:1 docker://{image}",
		pull:             "skopeo copy docker://{image} oci:{out}:1",
		printsStdout:     true,
		config:           containersAuth,
	},
	{
		name:             "buildah",
		login:            "buildah {storage} login {authfile} -u {user} --password-stdin {host}",
		loginWithoutUser: "buildah {storage} login {authfile} {host}",
		logout:           "buildah {storage} logout {authfile} {host}",
		logoutAll:        "buildah {storage} logout {authfile} --all",
		push: "buildah {storage} from --name made scratch\n" +
			"buildah {storage} commit made {image}\n" +
			"buildah {storage} push {image}",
		pull:         "buildah {storage} pull --policy=always {image}",
		printsStdout: true,
		config:       containersAuth,
	},
	{
		name:         "crane",
		login:        "crane auth login {host} -u {user} --password-stdin",
		logout:       "crane auth logout {host}",
		push:         "crane push {work}/layout {image}",
		pull:         "crane pull {image} {out}",
		printsStdout: true,
		config:       dockerConfig,
	},
}

// clientNamed returns the client of that name.
func clientNamed(name string) client {
	for _, c := range clients {
		if c.name == name {
			return c
		}
	}
	panic("there is no client " + name)
}

// configureName is the client's --client for configure.
func (c client) configureName() string {
	if c.config == dockerConfig {
		return "docker"
	}
	return "podman"
}

// eachClient runs a test for every client, which is configured to use the helper for the registry.
func eachClient(t *testing.T, test func(*testing.T, *fixture, client)) {
	eachUnconfigured(t, func(t *testing.T, f *fixture, c client) {
		f.configure(c.config)
		test(t, f, c)
	})
}

// eachUnconfigured runs a test for every client, none of which is configured.
func eachUnconfigured(t *testing.T, test func(*testing.T, *fixture, client)) {
	each(t, clients, test)
}

// eachLoginWithoutUser is eachClient for the clients with that command.
func eachLoginWithoutUser(t *testing.T, test func(*testing.T, *fixture, client)) {
	able := slices.DeleteFunc(slices.Clone(clients), func(c client) bool { return c.loginWithoutUser == "" })
	each(t, able, func(t *testing.T, f *fixture, c client) {
		f.configure(c.config)
		test(t, f, c)
	})
}

// each runs a test for some clients at once, each in its own environment.
func each(t *testing.T, clients []client, test func(*testing.T, *fixture, client)) {
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			requireTools(t, c.name)
			test(t, newFixture(t), c)
		})
	}
}
