package session
import ("testing";"github.com/postern-go/postern/client";"github.com/postern-go/postern/jwtverify")
func BenchmarkParts(b *testing.B){
 c:=testCookies(b,overTLS); rec:=usualRecord(b)
 plain:=encoded(b,rec)
 sealed,_:=c.sealer.seal(purposeSession,c.names[0],plain)
 tok,_:=rec.tokens.MarshalBinary(); idt,_:=rec.tokens.IDToken.MarshalBinary()
 b.Run("open",func(b *testing.B){b.ReportAllocs();for b.Loop(){c.sealer.open(purposeSession,c.names[0],sealed)}})
 b.Run("unpack",func(b *testing.B){b.ReportAllocs();for b.Loop(){c.sealer.unpackText(sealed[6:])}})
 b.Run("record",func(b *testing.B){b.ReportAllocs();for b.Loop(){new(record).unmarshal(plain)}})
 b.Run("tokens",func(b *testing.B){b.ReportAllocs();for b.Loop(){new(client.Tokens).UnmarshalBinary(tok)}})
 b.Run("idtoken",func(b *testing.B){b.ReportAllocs();for b.Loop(){new(jwtverify.IDToken).UnmarshalBinary(idt)}})
 r:=requestWith(pairs(written(b,c,requestWith(),rec))...)
 b.Run("scan",func(b *testing.B){b.ReportAllocs();for b.Loop(){ var found [maxChunks]twice
	for name, value := range sent(r) {
		if i, ok := c.chunkIndex(name); ok {
			found[i].add(value)
		}
	}
	joinChunks(found[0].values[0], &found, func(sealed string) bool { return true })
 }})
}
