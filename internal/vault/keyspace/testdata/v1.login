docker-credential-acr vault 1
{"server":"contoso.azurecr.io","identity":"service-principal","tenant":"tenant","client":"client","fingerprint":"fingerprint","issued":"2027-01-15T08:00:00Z"}
H2F_(§ªæ³lg.9š8ı-·ßÕû?[A/dˆµß—ˆŞ