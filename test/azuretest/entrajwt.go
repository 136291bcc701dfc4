package azuretest

import (
	"cmp"
	"errors"
	"strings"
	"time"
)

// entraClaims are the claims of a version 1.0 access token, for Azure Container Registry and Resource Manager. In
// version 2.0 tokens azp replaces appid.
type entraClaims struct {
	Aud        string `json:"aud"`
	Iss        string `json:"iss"`
	Iat        int64  `json:"iat"`
	Nbf        int64  `json:"nbf"`
	Exp        int64  `json:"exp"`
	AIO        string `json:"aio"`
	AppID      string `json:"appid,omitempty"`
	AppIDACR   string `json:"appidacr,omitempty"`
	AZP        string `json:"azp,omitempty"`
	AZPACR     string `json:"azpacr,omitempty"`
	IDP        string `json:"idp,omitempty"`
	IDType     string `json:"idtyp"`
	OID        string `json:"oid"`
	RH         string `json:"rh"`
	Scope      string `json:"scp,omitempty"`
	Sub        string `json:"sub"`
	TID        string `json:"tid"`
	UniqueName string `json:"unique_name,omitempty"`
	UPN        string `json:"upn,omitempty"`
	UTI        string `json:"uti"`
	Version    string `json:"ver"`
	FTD        string `json:"xms_ftd"`
	MIRID      string `json:"xms_mirid,omitempty"`
	IDRel      string `json:"xms_idrel"`
}

const (
	// accessTokenLifetime is the mean of the 60 to 90 minutes that Entra chooses at random.
	accessTokenLifetime = 75 * time.Minute
	// backdating is how far in the past Entra sets iat and nbf, so that computers with slow clocks accept the token.
	backdating = 5 * time.Minute
)

// accessToken issues an access token for p. A ttl of zero means accessTokenLifetime.
func (t *Tenant) accessToken(p Principal, audience string, ttl time.Duration) string {
	now := t.cloud.Now()
	issuer := "https://" + t.authority.sts + "/" + t.id + "/"
	claims := entraClaims{
		Aud: audience, Iss: issuer, IDP: issuer, TID: t.id, OID: p.ObjectID(), Version: "1.0",
		Iat: now.Add(-backdating).Unix(), Nbf: now.Add(-backdating).Unix(),
		Exp: now.Add(cmp.Or(ttl, accessTokenLifetime)).Unix(),
		AIO: randomText(30), RH: "1." + randomText(33) + ".", UTI: randomText(16), FTD: randomText(32),
		IDRel: "7 4",
	}
	p.describe(&claims)
	if strings.HasPrefix(audience, TokenExchange) { // in every cloud
		claims.Iss, claims.IDP, claims.Version = t.Issuer(), "", "2.0"
		claims.AZP, claims.AZPACR, claims.AppID, claims.AppIDACR = claims.AppID, claims.AppIDACR, "", ""
	}
	return t.cloud.issue(t.cloud.signer, claims)
}

// principal checks an Entra access token as a resource in this tenant does, and returns the principal that it was
// issued to. The error is for the record only.
func (t *Tenant) principal(token string) (Principal, entraClaims, error) {
	var claims entraClaims
	if err := t.cloud.signer.verify(token, &claims); err != nil {
		return nil, claims, err
	}
	now := t.cloud.Now().Unix()
	switch {
	case claims.TID == "":
		return nil, claims, errors.New("not an Entra token")
	case claims.TID != t.id || claims.Iss != "https://"+t.authority.sts+"/"+t.id+"/":
		return nil, claims, errors.New("token of another tenant")
	case now >= claims.Exp:
		return nil, claims, errors.New("access token expired")
	case now < claims.Nbf:
		return nil, claims, errors.New("access token not valid yet")
	}
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	for _, p := range t.principals {
		if p.ObjectID() == claims.OID {
			return p, claims, nil
		}
	}
	return nil, claims, errors.New("no such principal")
}
