namespace Grpc.Core;

/// <summary>TLS with the system's roots. Certificates of one's own are set on the client's HTTP handler.</summary>
public sealed class SslCredentials : ChannelCredentials
{
    internal override bool IsComposable => true;

    public override void InternalPopulateConfiguration(ChannelCredentialsConfiguratorBase configurator, object? state) =>
        configurator.SetSslCredentials(state, rootCertificates: null, keyCertificatePair: null, verifyPeerCallback: null);
}

/// <summary>Part of signatures only: the client takes certificates from its HTTP handler.</summary>
public sealed class KeyCertificatePair
{
    public KeyCertificatePair(string certificateChain, string privateKey)
    {
        ArgumentNullException.ThrowIfNull(certificateChain);
        ArgumentNullException.ThrowIfNull(privateKey);
        CertificateChain = certificateChain;
        PrivateKey = privateKey;
    }

    public string CertificateChain { get; }

    public string PrivateKey { get; }
}

/// <inheritdoc cref="KeyCertificatePair"/>
public delegate bool VerifyPeerCallback(VerifyPeerContext context);

/// <inheritdoc cref="KeyCertificatePair"/>
public class VerifyPeerContext
{
    internal VerifyPeerContext(string targetName, string peerPem)
    {
        TargetName = targetName;
        PeerPem = peerPem;
    }

    public string TargetName { get; }

    public string PeerPem { get; }
}
