// Package e2e runs the built program with real clients (docker, podman, skopeo, buildah, crane, Go libraries), real
// keyrings and a real registry.
//
// Every test has its own home directory and its own cloud: azuretest stands in for Microsoft Entra and for ACR's
// authorization, and the distribution registry stores the images. Clients reach the cloud through HTTPS_PROXY, so hosts
// have their real names and nothing leaves the computer. Azure's own SDK (each credential of azidentity, and
// azcontainerregistry) is tested against the cloud as well, which shows that the cloud behaves like Azure and not only
// like this project's reading of Azure's documentation. After each test, all files and all output are searched for
// secrets.
//
// A test whose client is not installed is skipped and names the package to install; with CI=true it fails instead. On
// Debian:
//
//	apt-get install docker.io chromium podman skopeo buildah dbus gnome-keyring groovy
//
// This is a module of its own, so that programs that import the helper don't get these tests' dependencies.
package e2e
