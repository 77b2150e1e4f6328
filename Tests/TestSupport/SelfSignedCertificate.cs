using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace AspireStreaming.TestSupport;

/// <summary>A certificate that nobody vouches for.</summary>
public static class SelfSignedCertificate
{
    /// <summary>Makes one for <c>localhost</c>, good from yesterday to tomorrow.</summary>
    public static X509Certificate2 Create()
    {
        using var key = RSA.Create(2048);
        var now = TimeProvider.System.GetUtcNow();
        return new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            .CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
    }
}
