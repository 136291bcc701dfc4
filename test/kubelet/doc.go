// Package kubelet runs kubelet's own code for image credential providers with the program,
// against the fake Azure. It is a module of its own, because kubelet takes minutes to
// compile.
package kubelet
