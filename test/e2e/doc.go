// Package e2e runs the built program under real clients (docker, podman,
// skopeo, buildah, crane, docker-credential-helpers' own, go-containerregistry
// as a library), with real keyrings, against a real registry.
//
// Every test has a home directory and a cloud of its own: azuretest plays
// Microsoft Entra and the registry's front door, which refuses tokens as Azure
// does, and distribution's registry keeps the images behind it. Clients get
// there through HTTPS_PROXY, so the hosts have their real names and nothing
// leaves the machine. Azure's own SDK (azidentity with each of its credentials, and
// azcontainerregistry) must get along with that cloud too, which else would be an
// echo of how this project reads Azure's documentation. At the end of a test no secret may be found in any file
// or output, whoever wrote it.
//
// A test whose client isn't installed is skipped and says which package has it;
// where CI=true it fails instead. On Debian:
//
//	apt-get install docker.io chromium podman skopeo buildah dbus gnome-keyring groovy
//
// The package is a module of its own, so that who imports the helper needs none
// of what these tests need.
package e2e
