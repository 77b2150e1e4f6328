using Microsoft.Extensions.Logging;

namespace AspireStreaming.ServiceDefaults.Auth;

internal static partial class AuthLog
{
    [LoggerMessage(4201, LogLevel.Warning,
        "Auth:AllowAnonymous is set: everybody who reaches this service may publish, read and administrate", EventName = "AuthOff")]
    public static partial void AuthOff(ILogger logger);

    [LoggerMessage(4202, LogLevel.Information,
        "Callers need a credential: HS256 tokens {Secret}, tokens of a key set {Jwks}, API keys {ApiKeys}", EventName = "AuthOn")]
    public static partial void AuthOn(ILogger logger, bool secret, bool jwks, int apiKeys);

    [LoggerMessage(4203, LogLevel.Warning,
        "Auth:Jwt:Jwks is set without Auth:Jwt:Audience: a token that the issuer made for any other service is accepted here too",
        EventName = "AudienceOpen")]
    public static partial void AudienceOpen(ILogger logger);

    [LoggerMessage(4204, LogLevel.Debug, "{Count} signing keys were read from {Source}", EventName = "KeysRead")]
    public static partial void KeysRead(ILogger logger, int count, string source);

    [LoggerMessage(4205, LogLevel.Warning,
        "The signing keys could not be read from {Source}; the ones known stay in use", EventName = "KeysUnavailable")]
    public static partial void KeysUnavailable(ILogger logger, string source, Exception exception);

    [LoggerMessage(4206, LogLevel.Debug, "{Method} {Path} was refused with {Status}: {Reason}", EventName = "AccessRefused")]
    public static partial void Refused(ILogger logger, string method, string path, int status, string reason);
}
