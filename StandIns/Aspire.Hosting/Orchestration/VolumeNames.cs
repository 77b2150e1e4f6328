using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;

namespace Aspire.Hosting.Orchestration;

/// <summary>Names for volumes that were given none: the same for every run of one AppHost, different between AppHosts.</summary>
internal static class VolumeNames
{
    private const int HashCharacters = 10;

    public static string For<T>(IResourceBuilder<T> builder, string suffix)
        where T : IResource
    {
        var application = string.Concat(builder.ApplicationBuilder.Environment.ApplicationName
            .Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' ? char.ToLowerInvariant(c) : '_'));
        var hash = builder.ApplicationBuilder.Configuration.GetValue<string>("AppHost:Sha256")![..HashCharacters].ToLowerInvariant();
        return $"{application}-{hash}-{builder.Resource.Name}-{suffix}";
    }
}
