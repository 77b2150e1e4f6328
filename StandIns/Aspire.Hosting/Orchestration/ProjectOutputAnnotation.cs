using System.Reflection;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Orchestration;

/// <summary>Where the build put the program of a project; the build of the AppHost writes it down beside <c>Projects.*</c>.</summary>
internal sealed class ProjectOutputAnnotation(string targetPath) : IResourceAnnotation
{
    private const string MetadataPrefix = "aspireprojectoutput:";

    public string TargetPath { get; } = targetPath;

    public static ProjectOutputAnnotation? Find(Assembly? assembly, string projectPath)
    {
        var metadata = assembly?.GetCustomAttributes<AssemblyMetadataAttribute>()
            .FirstOrDefault(attribute => attribute.Key.StartsWith(MetadataPrefix, StringComparison.Ordinal)
                && Path.GetFullPath(attribute.Key[MetadataPrefix.Length..]) == Path.GetFullPath(projectPath));
        return string.IsNullOrEmpty(metadata?.Value) ? null : new ProjectOutputAnnotation(metadata.Value);
    }
}
