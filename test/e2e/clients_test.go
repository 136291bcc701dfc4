package e2e

import (
	"slices"
	"testing"
)

// A client is its command lines, as people would type them. {image} is what is
// pulled and pushed, {host} its registry, {user} who logs in; stage.commands sets
// the rest.
type client struct {
	name string
	// login reads the password from standard input; logout undoes it.
	login, logout string
	// logoutAll undoes every login that the client can find.
	logoutAll string
	// bare is a login without user: the client asks the helper who that is.
	bare string
	// push makes an image and pushes it, one command a line. Empty for docker,
	// which leaves that to an engine.
	push string
	// pull asks the registry every time, whatever was pulled before.
	pull string
	// shows says where the helper's sentence reaches the person: "stdout" for
	// clients that print what the helper said there, "stderr" for those that
	// swallow it, so that only the helper's standard error is left.
	shows string
	// trades marks docker: where the registry hands out identity tokens it stores
	// one of those instead of the password.
	trades bool
	// config is where the client learns of the helper, unless a test says otherwise.
	config configFile
}

// A configFile is one of the places that name the helper.
type configFile string

const (
	dockerConfig   configFile = "docker-config.json" // credHelpers in ~/.docker/config.json
	credsStore     configFile = "credsStore"         // credsStore in ~/.docker/config.json
	containersAuth configFile = "containers-auth"    // credHelpers in containers-auth.json(5)
	registriesConf configFile = "registries.conf"    // credential-helpers in registries.conf(5)
)

var clients = []client{
	{
		name:   "docker",
		login:  "docker login -u {user} --password-stdin {host}",
		bare:   "docker login {host}",
		logout: "docker logout {host}",
		pull:   "docker manifest inspect {image}",
		shows:  "stderr",
		trades: true,
		config: dockerConfig,
	},
	{
		name:      "podman",
		login:     "podman {podman} login {authfile} -u {user} --password-stdin {host}",
		bare:      "podman {podman} login {authfile} {host}",
		logout:    "podman {podman} logout {authfile} {host}",
		logoutAll: "podman {podman} logout {authfile} --all",
		push:      "podman {podman} import -q {work}/layer.tar {image}\npodman {podman} push {image}",
		pull:      "podman {podman} pull {image}",
		shows:     "stdout",
		config:    containersAuth,
	},
	{
		name:      "skopeo",
		login:     "skopeo login {authfile} -u {user} --password-stdin {host}",
		bare:      "skopeo login {authfile} {host}",
		logout:    "skopeo logout {authfile} {host}",
		logoutAll: "skopeo logout {authfile} --all",
		push:      "skopeo copy oci:{work}/layout:1 docker://{image}",
		pull:      "skopeo copy docker://{image} oci:{out}:1",
		shows:     "stdout",
		config:    containersAuth,
	},
	{
		name:      "buildah",
		login:     "buildah {storage} login {authfile} -u {user} --password-stdin {host}",
		bare:      "buildah {storage} login {authfile} {host}",
		logout:    "buildah {storage} logout {authfile} {host}",
		logoutAll: "buildah {storage} logout {authfile} --all",
		push:      "buildah {storage} from --name made scratch\nbuildah {storage} commit made {image}\nbuildah {storage} push {image}",
		pull:      "buildah {storage} pull --policy=always {image}",
		shows:     "stdout",
		config:    containersAuth,
	},
	{
		name:   "crane",
		login:  "crane auth login {host} -u {user} --password-stdin",
		logout: "crane auth logout {host}",
		push:   "crane push {work}/layout {image}",
		pull:   "crane pull {image} {out}",
		shows:  "stdout",
		config: dockerConfig,
	},
}

// clientNamed finds a client that a test is about.
func clientNamed(name string) client {
	for _, c := range clients {
		if c.name == name {
			return c
		}
	}
	panic("there is no client " + name)
}

// eachClient runs a test once for every client, each on a stage of its own
// where the client knows the helper.
func eachClient(t *testing.T, test func(*testing.T, *stage, client)) {
	each(t, clients, test)
}

// eachBare is eachClient for those that can log in without a user.
func eachBare(t *testing.T, test func(*testing.T, *stage, client)) {
	each(t, slices.DeleteFunc(slices.Clone(clients), func(c client) bool { return c.bare == "" }), test)
}

func each(t *testing.T, clients []client, test func(*testing.T, *stage, client)) {
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			need(t, c.name)
			s := newStage(t)
			s.configure(c.config)
			test(t, s, c)
		})
	}
}
