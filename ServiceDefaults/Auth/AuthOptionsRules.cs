using System.Text;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>What must hold between the settings; reports everything that is wrong at once.</summary>
internal sealed class AuthOptionsRules(IHostEnvironment environment) : IValidateOptions<AuthOptions>
{
    public ValidateOptionsResult Validate(string? name, AuthOptions options)
    {
        var faults = new List<string>();
        if (!options.IsConfigured && !options.AllowAnonymous && !environment.IsDevelopment())
        {
            faults.Add(
                $"No authentication is configured and the environment is '{environment.EnvironmentName}', not Development. Configure "
                + "Auth:Jwt:Secret (HS256), Auth:Jwt:Jwks (URL or file of an RS256/ES256 key set) or Auth:ApiKeys:0:Name with "
                + "Auth:ApiKeys:0:Sha256; or set Auth:AllowAnonymous=true to let everybody do everything. As environment variables: "
                + "Auth__Jwt__Secret and so on.");
        }

        if (options.IsConfigured && options.AllowAnonymous)
        {
            faults.Add("Auth:AllowAnonymous is true although credentials are configured; remove one or the other.");
        }

        CheckJwt(options.Jwt, faults);
        CheckApiKeys(options.ApiKeys, faults);
        foreach (var origin in options.CookieOrigins)
        {
            if (!Uri.TryCreate(origin, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || url.PathAndQuery != "/")
            {
                faults.Add($"Auth:CookieOrigins: '{origin}' is no origin such as https://app.example.");
            }
        }

        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }

    private void CheckJwt(JwtOptions jwt, List<string> faults)
    {
        if (!string.IsNullOrEmpty(jwt.Secret) && Encoding.UTF8.GetByteCount(jwt.Secret) < JwtOptions.MinSecretBytes)
        {
            faults.Add($"Auth:Jwt:Secret must have at least {JwtOptions.MinSecretBytes} bytes.");
        }

        if (Uri.TryCreate(jwt.Jwks, UriKind.Absolute, out var url)
            && url.Scheme == Uri.UriSchemeHttp && !url.IsLoopback && !environment.IsDevelopment())
        {
            faults.Add("Auth:Jwt:Jwks must be an https URL or a file: keys that travel unprotected protect nothing.");
        }

        Check(jwt.JwksRefresh, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), nameof(jwt.JwksRefresh), faults);
        Check(jwt.JwksMinInterval, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1), nameof(jwt.JwksMinInterval), faults);
        Check(jwt.JwksTimeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1), nameof(jwt.JwksTimeout), faults);
        Check(jwt.ClockSkew, TimeSpan.Zero, TimeSpan.FromMinutes(10), nameof(jwt.ClockSkew), faults);
    }

    // Annotations of nested options are not looked at by the validator of data annotations.
    private static void Check(TimeSpan value, TimeSpan least, TimeSpan most, string name, List<string> faults)
    {
        if (value < least || value > most)
        {
            faults.Add($"Auth:Jwt:{name} must be {least} to {most}.");
        }
    }

    private static void CheckApiKeys(IList<ApiKeyOptions> keys, List<string> faults)
    {
        for (var index = 0; index < keys.Count; index++)
        {
            var (key, path) = (keys[index], $"Auth:ApiKeys:{index}");
            if (key.Name.Length is 0 or > 100)
            {
                faults.Add($"{path}:Name must have 1 to 100 characters.");
            }

            if (keys.Take(index).Any(other => other.Name == key.Name))
            {
                faults.Add($"{path}:Name '{key.Name}' is given twice.");
            }

            if (string.IsNullOrEmpty(key.Sha256) == string.IsNullOrEmpty(key.Key))
            {
                faults.Add($"{path} must have either Sha256 or Key.");
            }
            else if (key.Key is { Length: > 0 and < ApiKeyOptions.MinKeyLength })
            {
                faults.Add($"{path}:Key must have at least {ApiKeyOptions.MinKeyLength} characters.");
            }
            else if (key.Sha256 is { Length: > 0 } hash && (hash.Length != 64 || !hash.All(char.IsAsciiHexDigit)))
            {
                faults.Add($"{path}:Sha256 must have 64 hexadecimal digits.");
            }

            if (key.Priority is not (null or "" or "normal" or StreamAccess.HighPriority))
            {
                faults.Add($"{path}:Priority must be 'normal' or '{StreamAccess.HighPriority}'.");
            }
        }
    }
}
