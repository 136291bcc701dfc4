// Package azuretest is a fake Microsoft Entra and Azure Container Registry on loopback. It refuses what Azure refuses
// and records every request.
//
//	cloud := azuretest.Start(t)
//	tenant := cloud.AddTenant("")
//	app := tenant.AddServicePrincipal("", "a-secret")
//	registry := cloud.AddRegistry("contoso.azurecr.io", tenant)
//	registry.Grant(app, azuretest.AcrPull)
//	client := &http.Client{Transport: cloud.Transport()}
//
// # How clients connect
//
// One listener serves every host name, so programs under test use Azure's real names and need no hook.
// [Cloud.Transport] (or [TransportTo] in another process) sends every connection there and trusts the cloud's root
// certificate. [Cloud.StartProxy] and [Cloud.WriteCA] do the same for compiled programs that honour HTTPS_PROXY and
// SSL_CERT_FILE.
//
// # What it serves
//
//   - Entra: instance discovery, OpenID documents, signing keys, and the token
//     endpoint for client credentials with a secret, a certificate or a federated
//     token.
//   - Issuers of such tokens: GitHub Actions, Azure Pipelines, any other
//     ([Cloud.AddIssuer]) such as a Kubernetes cluster with its service accounts
//     ([Issuer.ServiceAccount]), and the token proxy of an AKS cluster with identity
//     bindings.
//   - Users sign in on Entra's pages, in a real browser, with [Cloud.Browse], or by
//     device code. Their refresh tokens rotate and expire, and Conditional Access
//     applies ([Cloud.SetBrowserUser], [User], [Tenant]).
//   - ACR: the challenge, the exchange, the token endpoint (Basic, password, refresh
//     token, anonymous), an in-memory registry that podman, skopeo and others can
//     push images to and pull them from, and below /acr/v1/ the lists that az and
//     Azure's SDKs read, of the repositories and tags in a [Registry.Backend].
//   - Managed identities: IMDS and the endpoints of App Service, Service Fabric,
//     Azure ML, Cloud Shell and Azure Arc, for a program that runs with the
//     variables that [ManagedIdentityHost] returns. [Cloud.ServeIMDS] serves IMDS at
//     its own address.
//
// Everything else is 404.
//
// # What a test can check and change
//
// [Cloud.Requests], [Cloud.Seen] and [Cloud.Count] return what was requested. [Cloud.ForeignHosts] and [Cloud.Leaks]
// return what went to other hosts. [Cloud.Canaries] lists every secret, so that outputs can be searched for them.
// [Cloud.Fault] replaces or corrupts responses, [Cloud.SetClock] changes the time, and the methods of [Registry],
// [Tenant] and [ServicePrincipal] change permissions while clients run.
//
// Mistakes in a test's set-up (an unknown role, authority or kind of request) panic.
package azuretest
