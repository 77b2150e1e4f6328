using System.Net;
using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>What the ranges of <see cref="AdmissionOptions"/> do not say.</summary>
internal sealed class AdmissionOptionsValidator : IValidateOptions<AdmissionOptions>
{
    private const long MinMemoryLimit = 16L << 20;

    public ValidateOptionsResult Validate(string? name, AdmissionOptions options)
    {
        var failures = options.TrustedProxies
            .Where(proxy => !IPAddress.TryParse(proxy, out _) && !IPNetwork.TryParse(proxy, out _))
            .Select(proxy => $"{AdmissionOptions.SectionName}:{nameof(options.TrustedProxies)} '{proxy}' is neither an address nor a network such as 10.0.0.0/8.")
            .ToList();
        if (options.MemoryLimitBytes is > 0 and < MinMemoryLimit)
        {
            failures.Add($"{AdmissionOptions.SectionName}:{nameof(options.MemoryLimitBytes)} is 0 or at least {MinMemoryLimit}.");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}
