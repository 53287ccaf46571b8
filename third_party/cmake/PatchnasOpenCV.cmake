# patchnas::opencv: OpenCV's core, imgproc and imgcodecs.
find_package(OpenCV REQUIRED COMPONENTS core imgproc imgcodecs)
add_library(patchnas_opencv INTERFACE)
add_library(patchnas::opencv ALIAS patchnas_opencv)
target_link_libraries(patchnas_opencv INTERFACE opencv_core opencv_imgproc opencv_imgcodecs)
